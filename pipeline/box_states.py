"""A box's state in words, for its own page and the server's."""

from __future__ import annotations

from pipeline.language import Message
from pipeline.wire import BoxState

STATE_WORDS: dict[BoxState, Message] = {
    BoxState.OK: Message("Working"),
    BoxState.ANALYSIS_OFF: Message("Analysis is off"),
    BoxState.CAMERA_LOST: Message("Camera lost"),
    BoxState.MICROPHONE_LOST: Message("Microphone lost"),
    BoxState.CLOCK_UNTRUSTED: Message("Clock not trusted"),
    BoxState.DISK_FULL: Message("Disk full"),
    BoxState.BUDGET_REFUSED: Message("Privacy budget refused"),
    BoxState.STARTING: Message("Starting"),
}

STATE_ADVICE: dict[BoxState, tuple[Message, ...]] = {
    BoxState.CLOCK_UNTRUSTED: (
        Message("Visits are counted on, but no period is closed and nothing is sent while the clock is not trusted."),
        Message("Ratings are kept; they get their day when the clock is trusted."),
        Message("Let this machine take the time from the network: apt install chrony; see chronyc tracking."),
    ),
}
"""What a state means for the counts, and what to do, where its words alone do not tell a technician."""
