"""Decides the size of an output's pictures: crop or pad of the source, then scaling."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from encoder_service.outputs.writer import OutputError
from encoder_service.spec import OddSizePolicy, Scale, ScaleMode


class SizeChange(StrEnum):
    """What was done for the codec's sake."""

    NONE = "none"
    PADDED = "padded"
    CROPPED = "cropped"


class Geometry(msgspec.Struct, frozen=True):
    """First the source is padded or cropped to `source_*`, then scaled to `width` x `height`."""

    source_width: int
    source_height: int
    width: int
    height: int
    change: SizeChange = SizeChange.NONE


def plan_geometry(
    width: int,
    height: int,
    scale: Scale | None,
    policy: OddSizePolicy,
    steps: tuple[int, int],
) -> Geometry:
    """Plans how a source of `width` x `height` reaches a size whose sides are multiples of `steps`.

    A fitted size is rounded to multiples within the box; a stretched or unscaled one follows `policy`.
    Raises OutputError with code ODD_SIZE or INVALID_SCALE.
    """
    if scale is None or (scale.width == 0 and scale.height == 0):
        reached = (_allowed(width, steps[0], policy), _allowed(height, steps[1], policy))
        return Geometry(*reached, *reached, _change((width, height), reached))
    if scale.width < 0 or scale.height < 0:
        raise OutputError("INVALID_SCALE", f"scale {scale.width} x {scale.height}: sides are 0 or above")
    if scale.mode == ScaleMode.STRETCH:
        wanted = (scale.width or width, scale.height or height)
        reached = (_allowed(wanted[0], steps[0], policy), _allowed(wanted[1], steps[1], policy))
        return Geometry(width, height, *reached, _change(wanted, reached))
    return Geometry(width, height, *_fit(width, height, scale, steps))


def _fit(width: int, height: int, scale: Scale, steps: tuple[int, int]) -> tuple[int, int]:
    factor = min(
        scale.width / width if scale.width else float("inf"),
        scale.height / height if scale.height else float("inf"),
    )
    return (
        _rounded(width * factor, steps[0], scale.width),
        _rounded(height * factor, steps[1], scale.height),
    )


def _rounded(side: float, step: int, limit: int) -> int:
    nearest = round(side / step) * step
    if limit and nearest > limit:
        nearest -= step
    return max(step, nearest)


def _allowed(side: int, step: int, policy: OddSizePolicy) -> int:
    if side % step == 0:
        return side
    if policy == OddSizePolicy.ERROR:
        raise OutputError(
            "ODD_SIZE",
            f"the pixel format needs a multiple of {step} and the size is {side}; send another size, or "
            f"choose odd_size_policy pad or crop",
        )
    if policy == OddSizePolicy.CROP and side > step:
        return side - side % step
    return side + step - side % step


def _change(before: tuple[int, int], after: tuple[int, int]) -> SizeChange:
    if before == after:
        return SizeChange.NONE
    return SizeChange.CROPPED if after[0] < before[0] or after[1] < before[1] else SizeChange.PADDED
