"""What image formats share: pixels, options, and reading back."""
