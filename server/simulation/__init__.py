"""Generated provinces, marked as such."""
