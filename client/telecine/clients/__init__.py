"""The clients that users hold, blocking and asyncio, and their jobs."""
