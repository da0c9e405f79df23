"""Encodes a first clip: an array of frames in, one MP4 and its manifest out, with no server to start."""

import numpy as np
import telecine

# 24 frames of 160x120 pixels, RGB: shape (T, H, W, C), uint8. Floats from 0 to 1 would do as well.
frames = np.zeros((24, 120, 160, 3), np.uint8)
for t in range(24):
    frames[t, :, : 6 * (t + 1)] = (255, 160, 0)  # a bar that grows from left to right

# No server is named: the SDK runs one of its own, which ends with this program.
result = telecine.encode(frames, fps=24, outputs="mp4", to="first-clip", metadata={"prompt": "a bar"})

artifact = result["mp4"]
print(artifact.local_path, artifact.size_bytes, artifact.sha256)
print("frames encoded:", result.job.total_frames, "warnings:", [warning.code for warning in result.warnings])
