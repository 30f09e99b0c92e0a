"""Channels by which answers come, one folder each."""
