"""What is found in running text, and how texts are read that hide it."""
