"""Reads the story of one job from a log collector: what each program logged about it, in order."""

import json

import numpy as np
from telecine import Client, EmbeddedServer, LogClient
from telecine.logging import bind_job_context, configure_logging, get_logger, shutdown_logging

JOB_ID = "fox-7"

# In production the collector is a service of its own: `telecine serve collector`.
with EmbeddedServer(service="collector") as collector:
    # This program's records go there, and so do those of the encoder.
    configure_logging("worker", collector=collector.address, console="off", has_files=False)
    with EmbeddedServer(environment={"TELECINE_LOG_COLLECTOR": collector.address}) as encoder:
        log = bind_job_context(get_logger(__name__), job_id=JOB_ID)
        log.info("sampling", stage="model:sample", steps=30)
        frames = np.zeros((16, 64, 96, 3), np.uint8)
        with Client(encoder.address) as client:
            client.encode(frames, fps=16, outputs="mp4", job_id=JOB_ID, to="logs-of-one-job")
        log.info("done", stage="model:done")
    shutdown_logging()  # what this program has logged is at the collector now

    with LogClient(collector.address) as logs:
        story = logs.job_story(JOB_ID)

print(f"{story.record_count} records of {JOB_ID}, {story.error_count} errors")
for line in story.records:
    record = json.loads(line)
    print(record["service"], record.get("stage", ""), record["msg"])
