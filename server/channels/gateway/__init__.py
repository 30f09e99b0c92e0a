"""SMS and 1022 calls through a signed gateway."""
