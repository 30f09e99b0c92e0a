"""Only factor C (civil servants) and the overall index may be informed by emotion; every other factor stays explicit.

A face at the counter says nothing about fees, deadlines or legality. Every function that fuses calls
`require_informed` first, so that no caller can fuse another factor by mistake.
"""

from __future__ import annotations

from typing import Final

from pipeline.errors import StatisticsError
from pipeline.language import Message

OVERALL: Final = "overall"
INFORMED_FACTORS: Final[frozenset[str]] = frozenset({"C", OVERALL})
"""Factors that the implicit signal may inform."""


def may_inform(factor: str) -> bool:
    """Whether the implicit signal may inform `factor` ("A".."E" or "overall")."""
    return factor in INFORMED_FACTORS


def require_informed(factor: str) -> None:
    """Refuse to fuse a factor that emotion says nothing about.

    Raises `StatisticsError` for everything but "C" and "overall"."""
    if not may_inform(factor):
        raise StatisticsError(
            Message("Factor '{factor}' must not be informed by the implicit signal.", factor=factor),
            Message("Only factor 'C' and 'overall' may be fused; report the explicit index of the other factors."),
        )
