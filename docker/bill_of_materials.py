"""Says what an image holds: a CycloneDX bill of materials and a list of licences, from what is installed.

Run while the image is built. `cyclonedx-py` names the Python packages; this adds what it does not see:
Debian's packages, Python itself where it is not one of them, and the libraries inside of wheels, FFmpeg's
among them.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Component = dict[str, Any]

UNKNOWN = "not known: see the package that brings it"

_GNU_EITHER = "LGPL-3.0-or-later OR GPL-2.0-or-later"

LIBRARY_LICENCES: Mapping[str, str] = {
    "SvtAv1Enc": "BSD-3-Clause-Clear",
    "Xau": "MIT",
    "asound": "LGPL-2.1-or-later",
    "avcodec": "LGPL-3.0-or-later",
    "avdevice": "LGPL-3.0-or-later",
    "avfilter": "LGPL-3.0-or-later",
    "avformat": "LGPL-3.0-or-later",
    "avif": "BSD-2-Clause",
    "avutil": "LGPL-3.0-or-later",
    "brotlicommon": "MIT",
    "brotlidec": "MIT",
    "crc32c": "BSD-3-Clause",
    "dav1d": "BSD-2-Clause",
    "drm": "MIT",
    "freetype": "FTL OR GPL-2.0-or-later",
    "gcc_s": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "gfortran": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "gmp": _GNU_EITHER,
    "gnutls": "LGPL-2.1-or-later",
    "harfbuzz": "MIT-Modern-Variant",
    "hogweed": _GNU_EITHER,
    "jpeg": "IJG AND BSD-3-Clause",
    "lcms2": "MIT",
    "lzma": "0BSD",
    "mp3lame": "LGPL-2.0-or-later",
    "nettle": _GNU_EITHER,
    "opencore-amrnb": "Apache-2.0",
    "opencore-amrwb": "Apache-2.0",
    "openjp2": "BSD-2-Clause",
    "opus": "BSD-3-Clause",
    "png16": "libpng-2.0",
    "quadmath": "LGPL-2.1-or-later",
    "scipy_openblas64_": "BSD-3-Clause",
    "sharpyuv": "BSD-3-Clause",
    "stdc++": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "swresample": "LGPL-3.0-or-later",
    "swscale": "LGPL-3.0-or-later",
    "tiff": "libtiff",
    "unistring": _GNU_EITHER,
    "vpl": "MIT",
    "vpx": "BSD-3-Clause",
    "webp": "BSD-3-Clause",
    "webpdemux": "BSD-3-Clause",
    "webpmux": "BSD-3-Clause",
    "x264": "GPL-2.0-or-later",
    "x265": "GPL-2.0-or-later",
    "xcb": "MIT",
    "xcb-shape": "MIT",
    "xcb-shm": "MIT",
    "xcb-xfixes": "MIT",
    "z": "Zlib",
    "zstd": "BSD-3-Clause OR GPL-2.0-only",
}
"""SPDX expressions of the libraries that wheels bring in `*.libs`. FFmpeg's is what it says of itself as it
is configured there (`--enable-version3`); x264 and x265 beside it put the whole under the GPL."""

_LIBRARY = re.compile(r"lib(?P<name>.+?)-[0-9a-f]{8,}(?:-[0-9a-f]{8,})?\.so(?:\.(?P<version>[0-9.]+))?")


def library_components(site_packages: Path) -> Iterator[Component]:
    """Yields the shared libraries that wheels have taken in, each with its licence."""
    for path in sorted(site_packages.glob("*.libs/*.so*")):
        if (match := _LIBRARY.fullmatch(path.name)) is None:
            continue
        name, version = match["name"], match["version"] or ""
        wheel = path.parent.name.removesuffix(".libs")
        yield {
            "type": "library",
            "bom-ref": f"{wheel}/{path.name}",
            "name": f"lib{name}",
            "version": version,
            "description": f"in the wheel of {wheel}; the version is that of its binary interface",
            "licenses": _licences(LIBRARY_LICENCES.get(name, UNKNOWN)),
        }


def with_licence(component: Component, site_packages: Path) -> Component:
    """The component of a Python package, with the licence that its metadata says in words, if no other."""
    if component.get("licenses"):
        return component
    name = re.sub(r"[-_.]+", "_", component["name"])
    for metadata in site_packages.glob(f"{name}-*.dist-info/METADATA"):
        if match := re.search(
            r"^License: *(\S.*)$", metadata.read_text(encoding="utf-8"), flags=re.MULTILINE
        ):
            return component | {"licenses": [{"license": {"name": match[1]}}]}
    return component


def debian_components(status: Path, documents: Path, release: str) -> Iterator[Component]:
    """Yields the packages that dpkg's status calls installed; `documents` is their /usr/share/doc."""
    for paragraph in status.read_text(encoding="utf-8").split("\n\n"):
        fields = dict(re.findall(r"^([A-Z][\w-]*): (.*)$", paragraph, flags=re.MULTILINE))
        if not fields.get("Status", "").endswith(" installed"):
            continue
        name, version, machine = fields["Package"], fields["Version"], fields["Architecture"]
        purl = f"pkg:deb/debian/{name}@{version.replace(':', '%3A').replace('+', '%2B')}?arch={machine}"
        yield {
            "type": "library",
            "bom-ref": purl,
            "name": name,
            "version": version,
            "purl": f"{purl}&distro={release}",
            "licenses": [
                {"license": {"name": licence}} for licence in debian_licences(documents / name / "copyright")
            ],
        }


def debian_licences(copyright_file: Path) -> list[str]:
    """The short names in a machine-readable copyright file; else where to read them."""
    text = copyright_file.read_text(encoding="utf-8", errors="replace") if copyright_file.exists() else ""
    if not text.startswith("Format:"):
        return [f"see /usr/share/doc/{copyright_file.parent.name}/copyright"]
    return sorted(set(re.findall(r"^License: *(\S.*?)\s*$", text, flags=re.MULTILINE)))


def python_component() -> Component:
    """The interpreter, as the images of a registry build it outside of any package."""
    version = platform.python_version()
    return {
        "type": "application",
        "bom-ref": f"cpython@{version}",
        "name": "cpython",
        "version": version,
        "purl": f"pkg:generic/python@{version}",
        "licenses": _licences("PSF-2.0"),
    }


def licence_of(component: Component) -> str:
    """One text for what a component's licences say."""
    entries = component.get("licenses", [])
    texts = [
        entry.get("expression") or entry["license"].get("id") or entry["license"].get("name", "")
        for entry in entries
    ]
    # Packages may hand on whole texts as a name; the first line says which it is.
    names = [text.strip().splitlines()[0].rpartition(" :: ")[2] for text in texts if text.strip()]
    return ", ".join(dict.fromkeys(names)) or UNKNOWN


def licence_list(image: str, components: list[Component]) -> str:
    """A table for people: name, version, licence."""
    rows = sorted((c["name"], c.get("version", ""), licence_of(c)) for c in components)
    names = max(len(name) for name, _, _ in rows)
    versions = max(len(version) for _, version, _ in rows)
    lines = [f"What {image} holds, and under which licences.", ""]
    lines += [f"{name:<{names}}  {version:<{versions}}  {licence}" for name, version, licence in rows]
    return "\n".join([*lines, "", *_NOTE, ""])


_NOTE = (
    "Texts: /usr/share/doc/*/copyright and /opt/telecine/lib/python*/site-packages/*.dist-info in the image.",
    "Telecine itself is Apache-2.0. Where libx264 and libx265 are listed: they are GPL-2.0-or-later, and the",
    "FFmpeg beside them is LGPL-3.0-or-later. To hand such an image on means to do so under the GPL, version",
    "3, with the sources or an offer of them.",
)


def _licences(expression: str) -> list[dict[str, Any]]:
    return [{"license": {"name": expression}}] if expression == UNKNOWN else [{"expression": expression}]


def _is_packaged(components: list[Component]) -> bool:
    return any(c["name"].startswith("libpython3") for c in components)


def main() -> None:
    """Reads what is installed and writes `sbom.cdx.json` and `licences.txt`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", required=True, help="its name, such as telecine-encoder")
    parser.add_argument("--python-packages", type=Path, required=True, help="what cyclonedx-py wrote")
    parser.add_argument("--site-packages", type=Path, required=True)
    parser.add_argument("--dpkg-status", type=Path, required=True)
    parser.add_argument("--documents", type=Path, required=True, help="/usr/share/doc of the image")
    parser.add_argument("--into", type=Path, required=True, help="a directory")
    arguments = parser.parse_args()
    bill = json.loads(arguments.python_packages.read_text())
    release = platform.freedesktop_os_release().get("VERSION_CODENAME", "unknown")
    debian = list(debian_components(arguments.dpkg_status, arguments.documents, f"debian-{release}"))
    interpreter = [] if _is_packaged(debian) else [python_component()]
    python_packages = [with_licence(c, arguments.site_packages) for c in bill.get("components", [])]
    bill["components"] = [
        *python_packages,
        *library_components(arguments.site_packages),
        *interpreter,
        *debian,
    ]
    version = next(c["version"] for c in python_packages if c["name"] == "telecine")
    bill.setdefault("metadata", {})["component"] = {
        "type": "container",
        "bom-ref": arguments.image,
        "name": arguments.image,
        "version": version,
    }
    arguments.into.mkdir(parents=True, exist_ok=True)
    (arguments.into / "sbom.cdx.json").write_text(json.dumps(bill, indent=1) + "\n")
    (arguments.into / "licences.txt").write_text(licence_list(arguments.image, bill["components"]))


if __name__ == "__main__":
    main()
