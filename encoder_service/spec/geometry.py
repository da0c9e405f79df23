"""Decides the size of an output's pictures: crop or pad of the source, scaling, place on the canvas."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from encoder_service.spec.codes import FailureCode
from encoder_service.spec.errors import OutputError
from encoder_service.spec.sizes import MAX_SIDE_PIXELS, resolved_mode, wanted_size
from encoder_service.spec.spec import OddSizePolicy, Scale, ScaleMode


class SizeChange(StrEnum):
    """What was done for the codec's sake."""

    NONE = "none"
    PADDED = "padded"
    CROPPED = "cropped"


class Frame(msgspec.Struct, frozen=True):
    """Where the picture lies on a larger canvas."""

    left: int
    """Even, as `top`: chroma of half the size lies right."""
    top: int
    width: int
    height: int


class Geometry(msgspec.Struct, frozen=True):
    """The part `source_*` of the source, padded where it is larger, is scaled to `width` x `height`."""

    source_width: int
    source_height: int
    width: int
    height: int
    change: SizeChange = SizeChange.NONE
    left: int = 0
    """Where the part begins in the source; even, as `top`."""
    top: int = 0
    frame: Frame | None = None
    """Where the picture lies on the canvas of `width` x `height`. None: it fills it."""

    @property
    def picture(self) -> Frame:
        """Where the picture lies on the canvas."""
        return self.frame or Frame(0, 0, self.width, self.height)

    @property
    def is_resampled(self) -> bool:
        """The picture gets another size than the part of the source that it shows."""
        picture = self.picture
        return (self.source_width, self.source_height) != (picture.width, picture.height)


def plan_geometry(
    width: int,
    height: int,
    scale: Scale | None,
    policy: OddSizePolicy,
    steps: tuple[int, int],
) -> Geometry:
    """Plans how a source of `width` x `height` reaches a size whose sides are multiples of `steps`.

    A fitted size is rounded to multiples within the box; a named or unscaled one follows `policy`.
    Raises OutputError with code ODD_SIZE or INVALID_SCALE.
    """
    if scale is None or not (scale.width or scale.height or scale.size or scale.aspect_ratio):
        reached = (_allowed(width, steps[0], policy), _allowed(height, steps[1], policy))
        return Geometry(*reached, *reached, _change((width, height), reached))
    if scale.width < 0 or scale.height < 0:
        raise OutputError(
            FailureCode.INVALID_SCALE, f"scale {scale.width} x {scale.height}: sides are 0 or above"
        )
    box, mode = wanted_size(scale, width, height), resolved_mode(scale)
    if max(box) > MAX_SIDE_PIXELS:
        raise OutputError(
            FailureCode.INVALID_SCALE,
            f"the size comes to {box[0]} x {box[1]}; sides are at most {MAX_SIDE_PIXELS}",
        )
    if mode == ScaleMode.FIT or not all(box):
        return Geometry(width, height, *_fit(width, height, box, steps))
    wanted = (box[0] or width, box[1] or height)
    reached = (_allowed(wanted[0], steps[0], policy), _allowed(wanted[1], steps[1], policy))
    change = _change(wanted, reached)
    if mode == ScaleMode.STRETCH:
        return Geometry(width, height, *reached, change)
    if mode == ScaleMode.FILL:
        has_size = bool(scale.size or scale.width or scale.height)
        return _filled(width, height, reached, change, is_scaled=has_size)
    return _padded(width, height, reached, change)


def _filled(
    width: int, height: int, reached: tuple[int, int], change: SizeChange, *, is_scaled: bool
) -> Geometry:
    wide, tall = reached
    part = (min(width, max(1, round(height * wide / tall))), min(height, max(1, round(width * tall / wide))))
    if not is_scaled:
        part = (min(width, wide), min(height, tall))
    left, top = ((side - inside) // 2 for side, inside in zip((width, height), part, strict=True))
    return Geometry(*part, *reached, change, left - left % 2, top - top % 2)


def _padded(width: int, height: int, reached: tuple[int, int], change: SizeChange) -> Geometry:
    wide, tall = reached
    is_whole = wide >= width and tall >= height and (wide == width or tall == height)
    inside = (width, height) if is_whole else _fit(width, height, reached, (2, 2))
    if inside == reached:
        return Geometry(width, height, *reached, change)
    left, top = ((side - part) // 2 for side, part in zip(reached, inside, strict=True))
    frame = Frame(left - left % 2, top - top % 2, min(inside[0], wide), min(inside[1], tall))
    return Geometry(width, height, *reached, change, frame=frame)


def _fit(width: int, height: int, box: tuple[int, int], steps: tuple[int, int]) -> tuple[int, int]:
    factor = min(
        box[0] / width if box[0] else float("inf"),
        box[1] / height if box[1] else float("inf"),
    )
    return _rounded(width * factor, steps[0], box[0]), _rounded(height * factor, steps[1], box[1])


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
            FailureCode.ODD_SIZE,
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
