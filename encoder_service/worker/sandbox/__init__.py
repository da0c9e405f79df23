"""The six walls around a worker: what its kernel can hold it to, put up before it reads a frame."""
