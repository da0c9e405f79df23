"""The rules of each encoder, by FFmpeg's name."""

from __future__ import annotations

from encoder_service.options.av1 import LIBAOM, SVT_AV1
from encoder_service.options.hardware import AV1_NVENC, H264_NVENC, HEVC_NVENC
from encoder_service.options.others import FFV1, GIF, JPEG, OPENH264, PNG, PRORES, SOUND, WEBP
from encoder_service.options.rules import EncoderRules
from encoder_service.options.vp9 import VP9
from encoder_service.options.x264 import X264, X264_RGB
from encoder_service.options.x265 import X265

RULES: dict[str, EncoderRules] = {
    "libx264": X264,
    "libx264rgb": X264_RGB,
    "libopenh264": OPENH264,
    "h264_nvenc": H264_NVENC,
    "libx265": X265,
    "hevc_nvenc": HEVC_NVENC,
    "libsvtav1": SVT_AV1,
    "libaom-av1": LIBAOM,
    "av1_nvenc": AV1_NVENC,
    "libvpx-vp9": VP9,
    "prores_ks": PRORES,
    "ffv1": FFV1,
    "libwebp": WEBP,
    "png": PNG,
    "gif": GIF,
    "libjpeg-turbo": JPEG,
    **dict.fromkeys(("pcm", "flac", "aac", "alac", "libopus"), SOUND),
}
"""A test holds that every encoder has its rules here."""
