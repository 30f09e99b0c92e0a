"""Who may do what: roles, log-in, sessions, request forgery, rate limits, access log."""
