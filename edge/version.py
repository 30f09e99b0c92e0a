"""The version of the box's software, as its heartbeat tells it."""

SOFTWARE = (0, 1, 0)
