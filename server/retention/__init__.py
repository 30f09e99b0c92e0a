"""What is deleted when, and what the privacy officer sees."""
