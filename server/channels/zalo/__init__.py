"""Zalo Notification Service: a message by an approved template, and the stars that people give in Zalo."""
