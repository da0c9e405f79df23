"""Makes several outputs of one upload, each with settings of its own."""

import numpy as np
from telecine import Client, Output, Scale, TextOverlay

frames = np.random.default_rng(7).integers(0, 256, (24, 180, 320, 3), np.uint8)

outputs = [
    Output("mp4", quality="standard"),  # H.264, for everywhere
    Output("mp4", name="phone", scale=Scale(aspect_ratio="9:16", mode="fill")),  # cut to an upright picture
    Output("webp", scale=(160, 0), quality="draft", loop_count=0),  # a small preview that loops for ever
    Output("poster", frame_index=0),  # the first frame
    Output("contact_sheet", columns=4, overlays=[TextOverlay("seed {seed}", position="top_left")]),
]

with Client() as client:
    available = {each.format for each in client.capabilities().formats if each.is_available}
    print("available here:", ", ".join(sorted(available)))

    # `skip_unavailable` skips formats that the server lacks, with a warning; `allow_partial` returns what was
    # made even if an output failed. Without them such cases are errors.
    result = client.encode(
        frames,
        fps=12,
        outputs=outputs,
        to="several-outputs",
        metadata={"seed": 7},
        skip_unavailable=True,
        allow_partial=True,
    )

for artifact in result.artifacts:
    print(f"{artifact.output:<14}{artifact.size_bytes:>9} bytes  {artifact.local_path}")
for output in result.job.outputs:
    if output.problem is not None:
        print(output.name, "failed:", output.problem.code, output.problem.recovery)
