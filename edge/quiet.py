"""`[update]`: whether the box takes releases that its server offers, and when nobody is disturbed by it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from edge.counters import Section
from pipeline.calendar import INDOCHINA

Hour = Annotated[int, Field(ge=0, le=23)]


class UpdateSection(Section):
    """`[update]`: releases offered by the server, signed by whoever signed the box's first one."""

    offered: bool = True
    """Take them. Where false, a release comes by `hailong edge update --bundle` alone."""
    from_hour: Hour = 1
    """First quiet hour (Indochina time): the box fetches and takes a release from then on ..."""
    until_hour: Hour = 5
    """... until this hour begins. The same as `from_hour`: at any hour."""

    def is_quiet(self, now_s: float) -> bool:
        """Whether an instant (Unix seconds) lies in the quiet hours."""
        length = (self.until_hour - self.from_hour) % 24 or 24
        return (datetime.fromtimestamp(now_s, INDOCHINA).hour - self.from_hour) % 24 < length
