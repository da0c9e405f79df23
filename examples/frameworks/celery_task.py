"""A Celery task that encodes a clip; a task that runs again goes on with the same job.

TELECINE_SERVER=encoder:50051 celery -A celery_task worker
"""

import numpy as np
import telecine
from celery import Celery, Task

app = Celery("clips", broker="memory://", backend="cache+memory://")


@app.task(bind=True, acks_late=True, autoretry_for=(telecine.exceptions.LaterError,), max_retries=5)
def encode_clip(task: Task, red: int, to: str) -> dict[str, object]:
    """Encodes what a model would have made. The job has the task's id: what was sent is not sent again."""
    frames = np.full((24, 64, 64, 3), (red % 256, 40, 40), np.uint8)
    result = telecine.encode(frames, fps=24, to=to, job_id=task.request.id)
    return {"job_id": result.job_id, "sha256": result.artifacts[0].sha256, "path": to}
