"""Who may enter: accounts, their roles, signing in and out."""
