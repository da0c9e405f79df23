"""`telecine logs watch`: the terminal's view of `telecine.log_view`; the only door to Textual."""
