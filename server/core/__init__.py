"""What every noun of the server stands on: configuration, provinces, days, the log of changes, names for people."""
