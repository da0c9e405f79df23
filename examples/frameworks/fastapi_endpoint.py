"""A FastAPI endpoint that answers with a clip; one client for all requests.

TELECINE_SERVER=encoder:50051 uvicorn fastapi_endpoint:app
"""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import telecine
from fastapi import FastAPI, HTTPException
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """The client lives as long as the application."""
    async with telecine.AsyncClient() as client:
        app.state.client = client
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/clips")
async def clip(red: int = 200) -> FileResponse:
    """Encodes what a model would have made. A client that goes away cancels the job."""
    directory = tempfile.TemporaryDirectory()
    path = Path(directory.name) / "clip.mp4"
    frames = np.full((24, 64, 64, 3), (red % 256, 40, 40), np.uint8)
    try:
        await app.state.client.encode(frames, fps=24, to=path)
    except telecine.exceptions.LaterError as error:  # full, or away: the caller may try again
        directory.cleanup()
        raise HTTPException(503, error.message) from error
    return FileResponse(path, media_type="video/mp4", background=BackgroundTask(directory.cleanup))
