"""What a worker process does: it locks itself in, makes one attempt, answers and ends."""
