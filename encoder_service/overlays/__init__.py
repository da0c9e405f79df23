"""Draws text and pictures over frames, in the frames' own pixel format and colour."""
