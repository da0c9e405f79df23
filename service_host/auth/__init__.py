"""Who may come in: principals, scopes, and what proves them."""
