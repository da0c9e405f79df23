"""What a record is made of, before it is rendered."""
