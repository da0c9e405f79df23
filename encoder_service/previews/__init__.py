"""Small pictures of frames that are in a spool, for people who watch an upload."""
