"""From a checked batch to the journal."""
