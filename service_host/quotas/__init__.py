"""How much each tenant and each principal may have: what every service counts, paces and refuses alike."""
