"""Each protobuf enum's values and what they are in the service's own types."""

from __future__ import annotations

from telecine.encoder.v1 import encoder_pb2 as pb

from encoder_service.spec.overlays.overlay import Position
from encoder_service.spec.spec import (
    AlphaMode,
    ColorMatrix,
    ColorPrimaries,
    ColorRange,
    ColorTransfer,
    Delivery,
    OddSizePolicy,
    PixelFormat,
    Quality,
    ScaleMode,
)

PIXEL_FORMATS: dict[int, PixelFormat] = {
    pb.PIXEL_FORMAT_GRAY8: PixelFormat.GRAY8,
    pb.PIXEL_FORMAT_RGB24: PixelFormat.RGB24,
    pb.PIXEL_FORMAT_RGBA: PixelFormat.RGBA,
    pb.PIXEL_FORMAT_YUV420P: PixelFormat.YUV420P,
    pb.PIXEL_FORMAT_NV12: PixelFormat.NV12,
    pb.PIXEL_FORMAT_YUV444P: PixelFormat.YUV444P,
    pb.PIXEL_FORMAT_RGB48LE: PixelFormat.RGB48LE,
    pb.PIXEL_FORMAT_P010LE: PixelFormat.P010LE,
    pb.PIXEL_FORMAT_RGBA64LE: PixelFormat.RGBA64LE,
    pb.PIXEL_FORMAT_GRAY16LE: PixelFormat.GRAY16LE,
    pb.PIXEL_FORMAT_YUV420P10LE: PixelFormat.YUV420P10LE,
}
PRIMARIES: dict[int, ColorPrimaries] = {
    pb.COLOR_PRIMARIES_BT709: ColorPrimaries.BT709,
    pb.COLOR_PRIMARIES_BT470BG: ColorPrimaries.BT470BG,
    pb.COLOR_PRIMARIES_SMPTE170M: ColorPrimaries.SMPTE170M,
    pb.COLOR_PRIMARIES_BT2020: ColorPrimaries.BT2020,
    pb.COLOR_PRIMARIES_SMPTE432: ColorPrimaries.SMPTE432,
}
TRANSFERS: dict[int, ColorTransfer] = {
    pb.COLOR_TRANSFER_BT709: ColorTransfer.BT709,
    pb.COLOR_TRANSFER_IEC61966_2_1: ColorTransfer.IEC61966_2_1,
    pb.COLOR_TRANSFER_SMPTE170M: ColorTransfer.SMPTE170M,
    pb.COLOR_TRANSFER_SMPTE2084: ColorTransfer.SMPTE2084,
    pb.COLOR_TRANSFER_ARIB_STD_B67: ColorTransfer.ARIB_STD_B67,
    pb.COLOR_TRANSFER_LINEAR: ColorTransfer.LINEAR,
}
MATRICES: dict[int, ColorMatrix] = {
    pb.COLOR_MATRIX_RGB: ColorMatrix.RGB,
    pb.COLOR_MATRIX_BT709: ColorMatrix.BT709,
    pb.COLOR_MATRIX_BT470BG: ColorMatrix.BT470BG,
    pb.COLOR_MATRIX_SMPTE170M: ColorMatrix.SMPTE170M,
    pb.COLOR_MATRIX_BT2020NC: ColorMatrix.BT2020NC,
}
RANGES: dict[int, ColorRange] = {
    pb.COLOR_RANGE_LIMITED: ColorRange.LIMITED,
    pb.COLOR_RANGE_FULL: ColorRange.FULL,
}
ODD_SIZE_POLICIES: dict[int, OddSizePolicy] = {
    pb.ODD_SIZE_POLICY_UNSPECIFIED: OddSizePolicy.PAD,
    pb.ODD_SIZE_POLICY_PAD: OddSizePolicy.PAD,
    pb.ODD_SIZE_POLICY_CROP: OddSizePolicy.CROP,
    pb.ODD_SIZE_POLICY_ERROR: OddSizePolicy.ERROR,
}
QUALITIES: dict[int, Quality] = {
    pb.QUALITY_UNSPECIFIED: Quality.HIGH,
    pb.QUALITY_DRAFT: Quality.DRAFT,
    pb.QUALITY_STANDARD: Quality.STANDARD,
    pb.QUALITY_HIGH: Quality.HIGH,
    pb.QUALITY_LOSSLESS: Quality.LOSSLESS,
}
SCALE_MODES: dict[int, ScaleMode] = {
    pb.SCALE_MODE_UNSPECIFIED: ScaleMode.AUTO,
    pb.SCALE_MODE_FIT: ScaleMode.FIT,
    pb.SCALE_MODE_STRETCH: ScaleMode.STRETCH,
    pb.SCALE_MODE_FILL: ScaleMode.FILL,
    pb.SCALE_MODE_PAD: ScaleMode.PAD,
}
POSITIONS: dict[int, Position] = {
    pb.POSITION_TOP_LEFT: Position.TOP_LEFT,
    pb.POSITION_TOP: Position.TOP,
    pb.POSITION_TOP_RIGHT: Position.TOP_RIGHT,
    pb.POSITION_LEFT: Position.LEFT,
    pb.POSITION_CENTER: Position.CENTER,
    pb.POSITION_RIGHT: Position.RIGHT,
    pb.POSITION_BOTTOM_LEFT: Position.BOTTOM_LEFT,
    pb.POSITION_BOTTOM: Position.BOTTOM,
    pb.POSITION_BOTTOM_RIGHT: Position.BOTTOM_RIGHT,
}
ALPHAS: dict[int, AlphaMode] = {
    pb.ALPHA_MODE_UNSPECIFIED: AlphaMode.AUTO,
    pb.ALPHA_MODE_KEEP: AlphaMode.KEEP,
    pb.ALPHA_MODE_FLATTEN: AlphaMode.FLATTEN,
}
DELIVERIES: dict[int, Delivery] = {
    pb.DELIVERY_UNSPECIFIED: Delivery.BYTES,
    pb.DELIVERY_BYTES: Delivery.BYTES,
    pb.DELIVERY_REFERENCES: Delivery.REFERENCES,
}
