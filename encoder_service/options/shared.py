"""Values that several encoders share: colour names, HDR10 metadata, distances, rates and pixel formats."""

from __future__ import annotations

from encoder_service.options.rules import Bits, Choice, Shape, Whole

BITS = Bits(0, 2_000_000_000)
"""Rates and buffers; FFmpeg holds buffers in 31 bits."""
KEYFRAME_DISTANCE = Whole(1, 100_000)
"""Frames from one key frame to the next at most."""
CLOSED_GOP = Choice(("+cgop", "-cgop"))
"""The one flag of FFmpeg's that neither names a file nor changes what the service relies on."""

PRIMARIES = Choice(
    (
        "bt709",
        "bt470m",
        "bt470bg",
        "smpte170m",
        "smpte240m",
        "film",
        "bt2020",
        "smpte428",
        "smpte431",
        "smpte432",
    )
)
TRANSFERS = Choice(
    (
        "bt709",
        "bt470m",
        "bt470bg",
        "smpte170m",
        "smpte240m",
        "linear",
        "iec61966-2-4",
        "iec61966-2-1",
        "bt2020-10",
        "bt2020-12",
        "smpte2084",
        "smpte428",
        "arib-std-b67",
    )
)
MATRICES = Choice(("bt709", "fcc", "bt470bg", "smpte170m", "smpte240m", "YCgCo", "bt2020nc", "bt2020c"))
LIGHT_LEVEL = Shape(
    r"[0-9]{1,5},[0-9]{1,5}", 'two light levels in cd/m², such as "1000,400"', ("0,0", "1000,400")
)
DEBLOCK = Shape(r"-?[0-6],-?[0-6]", 'two numbers, -6 to 6, such as "-1,-1"', ("-6,-6", "0,0", "6,6"))

UP_TO_12_BITS = tuple(
    f"{layout}{depth}"
    for depth in ("", "10le", "12le")
    for layout in ("yuv420p", "yuv422p", "yuv444p", "gbrp", "gray")
)
"""Pixel formats of encoders that take every layout in 8, 10 and 12 bits."""


def display_in_units(order: str) -> Shape:
    """A mastering display in units of 0.00002 and 0.0001 cd/m², its primaries in the order given."""
    pair = r"\([0-9]{1,5},[0-9]{1,5}\)"
    pattern = "".join(name + pair for name in (*order, "WP")) + r"L\([0-9]{1,9},[0-9]{1,9}\)"
    points = {"G": "(13250,34500)", "B": "(7500,3000)", "R": "(34000,16000)"}
    sample = "".join(name + points[name] for name in order) + "WP(15635,16450)L(10000000,500)"
    return Shape(pattern, f'a mastering display, such as "{sample}"', (sample,))


def display_in_numbers() -> Shape:
    """A mastering display as chromaticities and cd/m²."""
    number = r"[0-9]{1,5}(\.[0-9]{1,5})?"
    pair = rf"\({number},{number}\)"
    pattern = "".join(name + pair for name in ("G", "B", "R", "WP", "L"))
    sample = "G(0.265,0.690)B(0.150,0.060)R(0.680,0.320)WP(0.3127,0.3290)L(1000,0.005)"
    return Shape(pattern, f'a mastering display, such as "{sample}"', (sample,))
