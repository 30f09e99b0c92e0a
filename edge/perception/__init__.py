"""From frames and chunks to visits: tracking, networks, the engine."""
