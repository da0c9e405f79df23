"""What logging does about forks: locks that a child must not keep, and shipping for children."""
