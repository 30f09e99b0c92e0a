"""Where a rating came from: recorded with every row, so that one source can be counted, bounded and taken back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SourceKind(StrEnum):
    """What kind of thing brings ratings."""

    BOX = "box"
    LINK = "link"
    """One-time links: which link is nowhere recorded, so that nothing joins an answer to it."""
    GATEWAY = "gateway"
    STAFF = "user"
    IMPORT = "import"
    SIMULATION = "simulation"


@dataclass(frozen=True, slots=True)
class Source:
    """One source. `number`: id of the box, gateway, user or import, 0 where there is but one of a kind.

    `author_id`: the member of the staff who entered or imported it."""

    kind: SourceKind
    number: int = 0
    author_id: int | None = None

    def __str__(self) -> str:
        return f"{self.kind}:{self.number}" if self.number else str(self.kind)

    @property
    def is_staff(self) -> bool:
        """Whether a person of the staff put it in by hand."""
        return self.kind is SourceKind.STAFF

    @classmethod
    def staff(cls, user_id: int | None) -> Source:
        """What a member of the staff enters by hand; None: the demo, where nobody logs in."""
        return cls(SourceKind.STAFF, user_id or 0, user_id)


def is_live(source: str) -> bool:
    """Whether a source's sheets are stored at the moment at which citizens give them."""
    return source.partition(":")[0] in (SourceKind.LINK, SourceKind.GATEWAY)
