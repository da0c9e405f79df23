"""Keeps the books of a pipeline: what each stage read, made and cost, and that nothing is missing."""

import json

import numpy as np
import telecine
from telecine.stages import PipelineRun, check_job, make_graph, mermaid_text, read_job

# Each stage gets a numbered directory with a manifest, which stays true even if the program is killed.
with PipelineRun("pipeline/job-1") as run:
    with run.stage("generate", config={"model": "fox-xl", "seed": 7}) as stage:
        path = stage.output_path("frames.npy")
        np.save(path, np.random.default_rng(7).integers(0, 256, (16, 64, 96, 3), np.uint8))
        stage.track_output(path, "frames")
        stage.add_cost("GPU", 0.02, quantity=12, unit="s")

    with run.stage("encode", config={"outputs": ["mp4"]}) as stage:
        frames = np.load(stage.track_input(stage.input_path("frames.npy", from_stage="generate"), "frames"))
        result = telecine.encode(frames, fps=16, outputs="mp4", to=stage.output_path("clip"))
        stage.track_output(stage.output_path("clip"), "clip", job_id=result.job_id)
        stage.logger.info("encoded", artifacts=len(result.artifacts))

job = read_job("pipeline/job-1")
print(mermaid_text(make_graph(job)))
print("findings:", json.dumps([finding.code for finding in check_job(job).findings]))
