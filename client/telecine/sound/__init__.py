"""What callers hold as sound: arrays, tensors, WAV files, frames of PyAV, as the bytes that are sent."""
