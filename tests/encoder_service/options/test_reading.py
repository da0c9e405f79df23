"""What a client sets reaches an encoder only in canonical form, and only where a list names it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encoder_service.options.reading import read_options
from encoder_service.options.rules import Keys
from encoder_service.options.table import RULES
from encoder_service.spec.formats import FORMATS

PATH = "/tmp/x"


def places(encoder: str, options: dict[str, str]) -> list[str]:
    """What is refused."""
    return [fault.place for fault in read_options(encoder, RULES[encoder], options).faults]


def canonical(encoder: str, options: dict[str, str]) -> dict[str, str]:
    """What is handed on; everything must be allowed."""
    read = read_options(encoder, RULES[encoder], options)
    assert not read.faults
    return read.options


_DANGEROUS_KEYS = {
    ("libx264", "x264-params"): """
        dump-yuv stats qpfile cqmfile cqm4 log-file opencl-clbin threads zones asm pass log lookahead-threads
        sliced-threads fps timebase sar annexb psnr""",
    ("libx265", "x265-params"): """
        csv recon stats analysis-save analysis-load analysis-reuse-file qpfile lambda-file scaling-list
        dhdr10-info zonefile film-grain nalu-file aom-film-grain dolby-vision-rpu refine-analysis-type pools
        frame-threads numa-pools slices log-level csv-log-level pass input output hash""",
    ("libsvtav1", "svtav1-params"): """
        stats fgs-table qpfile recon roi-map-file lp pin input stat-file errlog passes resize-mode width
        height force-key-frames superres-mode frame-resz-kfs""",
    ("libaom-av1", "aom-params"): """
        film-grain-table fpf two-pass-output threads partition-info-path vmaf-model-path""",
}


@pytest.mark.parametrize(("place", "keys"), _DANGEROUS_KEYS.items())
def test_keys_that_open_files_or_change_what_the_server_sets_are_refused(
    place: tuple[str, str], keys: str
) -> None:
    encoder, option = place
    for key in keys.split():
        for spelled in (key, key.upper(), key.replace("-", "_"), f"no-{key}", f" {key}", f"{key} "):
            for text in (f"{spelled}={PATH}", spelled, f"{spelled}=1"):
                assert places(encoder, {option: text}), text


@pytest.mark.parametrize("encoder", RULES)
@pytest.mark.parametrize(
    "option",
    [
        "x264opts", "passlogfile", "stats", "x265-stats", "X264-PARAMS", "x264_params", "flags2",
        "debug", "threads", "thread_type", "strict", "time_base", "video_size", "s", "pixel_format",
        "pix_fmt", "dump_separator", "codec_whitelist", "max_pixels", "ts-parameters", "vp8flags",
        "rc_override", "", "tune ", "dolbyvision", "gpu", "surfaces", "export_side_data", "passlog",
        "ssim", "slices", "aspect", "b:v", "-b", "preset:v", "a53cc", "udu_sei",
    ],
)  # fmt: skip
def test_options_outside_of_the_list_are_refused_by_every_encoder(encoder: str, option: str) -> None:
    assert places(encoder, {option: PATH})
    assert places(encoder, {option: "1"})


@pytest.mark.parametrize(
    ("encoder", "options"),
    [
        ("libsvtav1", {"preset": "-1"}),
        ("libsvtav1", {"preset": "-2"}),
        ("libsvtav1", {"preset": "0"}),
        ("libsvtav1", {"svtav1-params": "preset=-1"}),
        ("libsvtav1", {"svtav1-params": "hierarchical-levels=2147483647"}),
        ("libsvtav1", {"svtav1-params": "hierarchical-levels=-1"}),
        ("libsvtav1", {"svtav1-params": "lookahead=100000"}),
        ("libx264", {"preset": "placebo"}),
        ("libx264", {"motion-est": "tesa"}),
        ("libx264", {"x264-params": "me=esa"}),
        ("libx264", {"x264-params": "merange=1024"}),
        ("libx264", {"x264-params": "cqm=other"}),
        ("libx264", {"g": "2147483648"}),
        ("libx264", {"g": "1e9"}),
        ("libx264", {"g": "0x10"}),
        ("libx264", {"g": "max"}),
        ("libx264", {"g": "2*3"}),
        ("libx264", {"g": "١٢"}),
        ("libx264", {"crf": "nan"}),
        ("libx264", {"crf": "inf"}),
        ("libx264", {"crf": "1e1"}),
        ("libx264", {"flags": "+pass1"}),
        ("libx264", {"flags": "+cgop+pass1"}),
        ("libx264", {"b": "-1"}),
        ("libx264", {"tune": "film,grain:stats=x"}),
        ("libx264", {"tune": "film\n"}),
        ("libx264", {"psy-rd": "1:stats=/tmp/x"}),
        ("libx264", {"x264-params": "deblock=1:1"}),
        ("libx264", {"x264-params": "aq-mode=1:aq_mode=2"}),
        ("libx264", {"x264-params": "mbtree:no-mbtree"}),
        ("libx264", {"x264-params": "crf=20:"}),
        ("libx264", {"x264-params": "crf\\=20"}),
        ("libx264", {"x264-params": "'stats'=/tmp/x"}),
        ("libx264", {"x264-params": "psy-rd='1:stats=/tmp/x'"}),
        ("libx264", {"x264-params": "aq-mode"}),
        ("libx265", {"x265-params": "master-display=G(1,2)B(3,4)R(5,6)WP(7,8)L(9,10):csv=/tmp/x"}),
        ("libx265", {"x265-params": "max-cll=/tmp/x"}),
        ("libvpx-vp9", {"deadline": "best"}),
        ("libvpx-vp9", {"lag-in-frames": "1000"}),
        ("prores_ks", {"vendor": "/tmp"}),
        ("ffv1", {"context": "2"}),
        ("libwebp", {"method": "7"}),
        ("libx264", {"tune": "f" * 2000}),
        ("libx264", {"t" * 100: "film"}),
    ],
)
def test_values_outside_of_their_range_are_refused(encoder: str, options: dict[str, str]) -> None:
    assert places(encoder, options)


def test_what_users_set_is_taken_in_canonical_form() -> None:
    x264 = {"tune": "film", "g": "+048", "bf": "3", "maxrate": "2M", "bufsize": "4000k", "profile": "high"}
    assert canonical("libx264", x264) == x264 | {"g": "48", "maxrate": "2000000", "bufsize": "4000000"}
    params = "aq_mode=3:no-mbtree:open_gop:psy-rd=1.0,0.15:deblock=-1,-1:keyint_min=12:crf=018.50"
    assert canonical("libx264", {"x264-params": params}) == {
        "x264-params": "aq-mode=3:mbtree=0:open-gop=1:psy-rd=1.0,0.15:deblock=-1,-1:min-keyint=12:crf=18.5"
    }
    display = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,500)"
    hdr = "hdr10=1:hdr10-opt=1:repeat-headers=1:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc"
    hdr += f":range=limited:master-display={display}:max-cll=1000,400"
    assert canonical("libx265", {"x265-params": hdr}) == {"x265-params": hdr}
    svt = "tune=0:film-grain=8:film-grain-denoise=0:enable-overlays=1:scd=1:keyint=240:lookahead=60"
    assert canonical("libsvtav1", {"svtav1-params": svt, "preset": "6", "crf": "30"})["svtav1-params"] == svt
    vp9 = {"row-mt": "1", "tile-columns": "2", "cpu-used": "4", "deadline": "good", "lag-in-frames": "25"}
    assert canonical("libvpx-vp9", vp9) == vp9
    nvenc = {"preset": "p7", "tune": "hq", "rc": "vbr", "spatial-aq": "true", "b_ref_mode": "middle"}
    assert canonical("h264_nvenc", nvenc) == nvenc | {"spatial-aq": "1"}


def test_a_refusal_names_the_place_what_is_wrong_and_what_there_is() -> None:
    read = read_options("libx264", RULES["libx264"], {"x264-params": "dump-yuv=/etc/passwd:qcom=1:crf=99"})
    assert [fault.place for fault in read.faults] == [
        "['x264-params'].dump-yuv",
        "['x264-params'].qcom",
        "['x264-params'].crf",
    ]
    texts = [fault.description for fault in read.faults]
    assert "there are 8x8dct, aq-mode" in texts[0]
    assert "did you mean qcomp?" in texts[1]
    assert texts[2] == "expected a number, 0 to 51; got '99'"
    assert (
        "write x264-params"
        in read_options("libx264", RULES["libx264"], {"x264opts": "a=b"}).faults[0].description
    )


def test_an_operator_widens_the_list_but_no_value_adds_a_key() -> None:
    allowed = ("psnr", "x264-params.zones")
    rules = RULES["libx264"]
    options = {"psnr": "whatever", "x264-params": "crf=20:zones=0,10,q=20"}
    assert read_options("libx264", rules, options, allowed) == read_options(
        "libx264", rules, options, allowed
    )
    assert read_options("libx264", rules, options, allowed).options == options
    for text in ("zones=1\\:stats=/x", "zones='1:stats=/x'", "zones", "zones=1:stats=/x", "zones=1 2"):
        assert read_options("libx264", rules, {"x264-params": text}, allowed).faults
    assert read_options("libx265", RULES["libx265"], {"psnr": "1"}).faults


_PIECES = st.sampled_from(
    [
        "crf", "stats", "dump-yuv", "aq-mode", "no-", "mbtree", "=", ":", ",", "\\", "'", '"', "/tmp/x", "1",
        "-1", " ", "_", "\0",
    ]
)  # fmt: skip


@given(
    st.dictionaries(
        st.sampled_from(sorted(RULES["libx264"].options)), st.lists(_PIECES, max_size=8).map("".join)
    )
)
def test_what_is_handed_on_is_on_the_list_whatever_was_sent(options: dict[str, str]) -> None:
    rules = RULES["libx264"]
    read = read_options("libx264", rules, options)
    assert read_options("libx264", rules, read.options).options == read.options
    for name, value in read.options.items():
        rule = rules.options[name]
        if not isinstance(rule, Keys):
            assert rule.canonical(value) == value
            continue
        for part in value.split(":") if value else ():
            key, _, inner = part.partition("=")
            assert rule.rules[key].canonical(inner) == inner


def test_every_encoder_has_rules_that_take_what_its_row_sets() -> None:
    """What named qualities set stands on the list too, so that a user may repeat it."""
    fixed = {"lossless", "asm", "log-level", "vendor"}
    for row in (row for entry in FORMATS.values() for row in entry.encoders):
        rules = RULES[row.encoder]
        assert bool(row.preset_option) == (rules.presets is not None), row.encoder
        for numbers in row.qualities.values():
            read = read_options(row.encoder, rules, numbers.options)
            assert {fault.key or fault.option for fault in read.faults} <= fixed, row.encoder
            assert not numbers.preset or rules.presets is None or rules.presets.canonical(numbers.preset)
        names = (
            row.pixel_formats.default,
            *row.pixel_formats.same.values(),
            *row.pixel_formats.lossless.values(),
        )
        if row.encoder != "gif":
            assert set(filter(None, names)) <= set(rules.pixel_formats), row.encoder  # sound has none
