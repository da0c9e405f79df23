"""Encodes what a diffusion model returns: a torch tensor, floats from -1 to 1, channels first."""

import telecine
import torch

# Shape (T, C, H, W), on whichever device the model runs; a GPU tensor is copied in pieces.
device = "cuda" if torch.cuda.is_available() else "cpu"
video = torch.rand(16, 3, 64, 96, device=device) * 2 - 1

# Telecine takes floats from 0 to 1 and refuses others, so that a wrong scale is an error, not a black clip.
# Models overshoot by a little: "clip" takes such values to the nearest valid one, and counts them.
result = telecine.encode(
    (video + 1) / 2, fps=8, outputs="mp4", layout="TCHW", out_of_range="clip", to="torch-tensors"
)

print(result["mp4"].local_path, "clipped samples:", result.clipped_samples)
