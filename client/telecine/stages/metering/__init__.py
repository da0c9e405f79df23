"""What a stage uses of the machine."""
