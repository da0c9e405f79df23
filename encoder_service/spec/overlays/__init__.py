"""What may be drawn over frames: data and headers, no codec."""
