"""Encodes several clips at once with asyncio, over one connection."""

import asyncio

import numpy as np
import numpy.typing as npt
from telecine import AsyncClient
from telecine.exceptions import JobError


def clip(color: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
    """One second of one colour."""
    return np.full((16, 64, 96, 3), color, np.uint8)


async def main() -> None:
    """Encodes two clips side by side, then a third one whose states are followed."""
    async with AsyncClient() as client:
        red, blue = await asyncio.gather(
            client.encode(clip((200, 30, 30)), fps=16, outputs="mp4", to="asyncio/red"),
            client.encode(clip((30, 30, 200)), fps=16, outputs="gif", to="asyncio/blue"),
        )
        print(red["mp4"].local_path, blue["gif"].local_path)

        async with client.open_job(fps=16, outputs="webp") as job:
            await job.push(clip((30, 200, 30)))
            await job.finish()
            # Any process may follow a job by its id; this one yields each change until the job ends.
            async for info in client.watch_job(job.job_id):
                print(info.state)

        try:
            green = await client.wait(job.job_id, to="asyncio/green")
        except JobError as error:  # every error says what to do
            print(error, error.recovery)
        else:
            print(green["webp"].local_path)


asyncio.run(main())
