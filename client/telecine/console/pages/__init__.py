"""What is shown: screens as HTML, every text of others as a text node."""
