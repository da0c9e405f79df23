"""`make demo`: a real clip through the embedded service, with proof of what came out."""
