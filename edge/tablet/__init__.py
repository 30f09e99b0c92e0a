"""The page at the counter: notice, opt-out, rating; and the queue system's events. Served by the box itself, without
the server."""
