"""What a check of the box has found at one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "wrong", "skipped"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found at one place. `fix`: what to do, empty where nothing is. `counter`: at which counter of a hall;
    empty: at the box."""

    what: str
    state: State
    text: str
    fix: str = ""
    counter: str = ""
