"""Ratings: their rows, imports, suspicion, review and export."""
