"""The 1022 centre's Asterisk: calls led by AGI, calls begun by call files, prompts; beside it, not in the server."""
