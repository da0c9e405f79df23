"""What video outputs share: the choice of encoder, and the checks of what was made."""
