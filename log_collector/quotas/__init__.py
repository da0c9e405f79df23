"""How much of the collector each tenant and each principal may have."""
