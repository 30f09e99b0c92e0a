"""How long a server that is told to stop may take: its own constant, the unit and the compose file agree."""

from __future__ import annotations

import re
from importlib.resources import files

from server.service import ANSWERING_S, GRACE_S, STOPPING_S

SHIPPED = files("hailong")
BY_THEMSELVES_S = 10
"""What podman and docker give a container whose file says nothing."""


def said(path: str, pattern: str) -> list[int]:
    return [int(found) for found in re.findall(pattern, SHIPPED.joinpath(path).read_text("utf-8"), re.MULTILINE)]


def test_whoever_starts_the_server_gives_it_as_long() -> None:
    assert said("debian_server/hailong-server.service", r"^TimeoutStopSec=(\d+)$") == [GRACE_S]
    assert said("oci_server/compose.yaml", r"^    stop_grace_period: (\d+)s$") == [GRACE_S]


def test_a_container_that_was_started_by_hand_is_not_killed_either() -> None:
    assert ANSWERING_S < STOPPING_S
    assert 2 * STOPPING_S <= BY_THEMSELVES_S < GRACE_S
