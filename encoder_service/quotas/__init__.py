"""How much of the encoder each tenant and each principal may have."""
