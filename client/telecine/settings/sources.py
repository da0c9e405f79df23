"""Layers the settings of a file, the environment and flags, and remembers where each came from."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import TypeAlias

import msgspec

Tree: TypeAlias = "dict[str, Tree | object]"

CONFIG_FILE_VARIABLE = "CONFIG"
"""`<prefix>CONFIG` names the configuration file; it is no setting itself."""


class ConfigFault(msgspec.Struct, frozen=True):
    """One thing that is wrong with the configuration."""

    key: str
    """Dotted, such as "host.keepalive.time_seconds"; empty if a whole source is wrong."""
    source: str
    """Such as "file telecine.toml", "env TELECINE_ENCODER_X", "flag" or "default"."""
    expected: str
    """What was wrong and what is expected."""

    def __str__(self) -> str:
        return f"{self.key or '(everything)'}: {self.expected}  [{self.source}]"


class Text(str):
    """A value that came as text, from the environment or a flag, and is still to be read as its type."""

    __slots__ = ()


class Layers:
    """One tree of settings, with the source of each; a later layer wins, key by key."""

    def __init__(self) -> None:
        self.tree: Tree = {}
        self.sources: dict[str, str] = {}
        self.faults: list[ConfigFault] = []

    def add_tree(self, tree: Mapping[str, object], source: str, *, below: str = "") -> None:
        """Adds a nested mapping on top of the layers so far."""
        for name, value in tree.items():
            key = f"{below}.{name}" if below else str(name)
            if isinstance(value, Mapping) and value:
                self.add_tree(value, source, below=key)
            else:
                self.put(key, value, source)

    def put(self, key: str, value: object, source: str) -> None:
        """Sets one dotted key."""
        *sections, last = key.split(".")
        place = self.tree
        for depth, section in enumerate(sections):
            inner = place.setdefault(section, {})
            if not isinstance(inner, dict):
                above = ".".join(sections[: depth + 1])
                origin = self.sources.get(above, "default")
                expected = f"{above} was given as a value ({origin}), so nothing can stand below it"
                self.faults.append(ConfigFault(key, source, expected))
                return
            place = inner
        place[last] = value
        self.sources[key] = source

    def keep(self, names: Collection[str]) -> None:
        """Forgets everything that stands below other names than these."""
        self.tree = {name: value for name, value in self.tree.items() if name in names}

    def source_of(self, key: str) -> str:
        """The source of a key, of the nearest key above it or of one below it; else "default"."""
        above = key.replace("[", ".[")
        while above:
            if (found := self.sources.get(above.replace(".[", "["))) is not None:
                return found
            above = above.rpartition(".")[0]
        return next((s for k, s in self.sources.items() if k.startswith(f"{key}.")), "default")


def environment_settings(
    prefix: str, environ: Mapping[str, str], aliases: Mapping[str, str]
) -> dict[str, tuple[str, str]]:
    """Dotted key to (variable, text) of every variable that begins with `prefix`; `__` separates levels.

    `aliases`: further variables, and the keys they stand for; those with the prefix come first. What
    Kubernetes puts into every container about a Service of our name (`TELECINE_ENCODER_PORT`) is no setting.
    """
    found = {key: (variable, environ[variable]) for variable, key in aliases.items() if environ.get(variable)}
    for variable, text in sorted(environ.items()):
        name = variable.removeprefix(prefix)
        if name != variable and name != CONFIG_FILE_VARIABLE and not _is_service_link(name, text):
            found[name.lower().replace("__", ".")] = (variable, text)
    return found


_SERVICE_LINKS = tuple(
    re.compile(rf"(?:[A-Z0-9_]+_)?{name}={value}")
    for name, value in (
        ("SERVICE_HOST", r"[0-9a-fA-F.:]+"),
        (r"SERVICE_PORT(?:_[A-Z0-9_]+)?", r"\d+"),
        (r"PORT(?:_\d+_(?:TCP|UDP|SCTP))?", r"(?:tcp|udp|sctp)://\S+"),
        (r"PORT_\d+_(?:TCP|UDP|SCTP)_PROTO", r"(?:tcp|udp|sctp)"),
        (r"PORT_\d+_(?:TCP|UDP|SCTP)_PORT", r"\d+"),
        (r"PORT_\d+_(?:TCP|UDP|SCTP)_ADDR", r"[0-9a-fA-F.:]+"),
    )
)
"""With the values that Kubernetes gives them: a misspelt setting of such a name would hold something else."""


def _is_service_link(name: str, text: str) -> bool:
    return any(link.fullmatch(f"{name}={text}") for link in _SERVICE_LINKS)


REDACTED = "***redacted***"


_SECRET_NAME = re.compile(
    r"(?:^|_)(?:password|passwd|passphrase|secret|secrets|token|tokens|api_key|apikey|private_key"
    r"|access_key|hash_key|redaction_key|credential|credentials|authorization|dsn|headers)$",
    re.IGNORECASE,
)


_URL_USER = re.compile(r"(?<=://)[^/@\s]+(?=@)")


_URL_PATH = re.compile(r"(https?://[^/?#\s'\"]+)(/?[?#][^\s'\"]+|/[^\s'\"]+)", re.IGNORECASE)


_MAX_SHOWN_CHARS = 80


def is_secret(key: str) -> bool:
    """Whether the value of a dotted key must not be shown, by any part of its name."""
    return any(_SECRET_NAME.search(part) for part in re.sub(r"\[\d+\]", "", key).split("."))


def without_url_user(text: str) -> str:
    """The text with the user part of every URL redacted, which may hold a password, and everything after the
    host of an HTTP URL: the paths and queries of webhooks are tokens."""
    return _URL_PATH.sub(rf"\1/{REDACTED}", _URL_USER.sub(REDACTED, text))


def shown(key: str, value: object) -> str:
    """The value for an error message or a listing: redacted, without user names in URLs, short."""
    if is_secret(key) and value:
        return REDACTED
    text = without_url_user(repr(str(value)) if isinstance(value, str) else repr(value))
    return text if len(text) <= _MAX_SHOWN_CHARS else text[: _MAX_SHOWN_CHARS - 1] + "…"
