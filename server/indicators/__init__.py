"""Published indicators other than the survey's own: the satisfaction group of Decision 766/QĐ-TTg."""
