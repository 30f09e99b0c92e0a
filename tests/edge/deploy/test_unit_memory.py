"""What the box's unit says about memory."""

from __future__ import annotations

import pytest

from edge.deploy.unit import UNIT


@pytest.mark.parametrize("line", ["Environment=PYTHONMALLOC=malloc", "MemorySwapMax=0", "LimitCORE=0"])
def test_memory_is_overwritten_when_freed_and_goes_to_no_disk(line: str) -> None:
    """`edge.perception.scrub` reaches Python's small objects only where they come from the C library's heap."""
    assert line in UNIT.splitlines()
