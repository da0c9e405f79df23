"""What is done to records before they reach the journal; each module is one verb."""
