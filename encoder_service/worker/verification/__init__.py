"""What `telecine verify` finds."""
