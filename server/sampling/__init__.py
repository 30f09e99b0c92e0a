"""The sampling plan: sizes, allocation, draw."""
