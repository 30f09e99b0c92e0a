"""Audits of a box at work: what it writes, whom it calls, what stays in memory."""
