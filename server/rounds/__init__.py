"""Rounds of a survey."""
