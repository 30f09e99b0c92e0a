"""What `hailong edge check` finds at the queue system, where the box asks it itself: whether it lets the box in, and
whether what the configuration names is there. Nothing is handed on."""

from __future__ import annotations

from edge.commands.finding import Finding
from edge.config import EdgeConfig
from pipeline.language import Message


def check_queue(config: EdgeConfig) -> Finding:
    """Connect once. Raises `HailongError` with what is wrong."""
    from contextlib import closing

    from edge.capture.queue_calls import QueueCalls
    from edge.capture.queue_reader import make_source
    from edge.queue_section import QueueViewSection

    reached = config.queue.reached
    if reached is None:
        return Finding("queue system", "skipped", Message("the box asks none"))
    with closing(make_source(reached, QueueCalls({}))) as source:
        source.open()
    if isinstance(reached, QueueViewSection):
        return Finding("queue system", "ok", Message("the view {view} can be read", view=reached.view))
    return Finding("queue system", "ok", Message("the broker {host} lets the box in", host=reached.host))
