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
