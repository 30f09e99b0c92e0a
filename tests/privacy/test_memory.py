"""What of a visit is still found in the memory of the real engine's process after it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from edge.audit.canary import make_canary, needles_of
from edge.audit.memory import audit_memory
from edge.audit.trace import BASES
from edge.perception.scrub import ENVIRONMENT, LAST_BYTES
from hailong.cli import main

pytestmark = pytest.mark.timeout(900)
"""Every page of a process is read, more than once: on a busy machine that takes minutes."""


@pytest.mark.slow
@pytest.mark.parametrize("basis", BASES)
def test_nothing_of_a_visit_is_found_after_it(basis: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Under consent nothing is fed after the visit that would overwrite what was held."""
    assert main(["audit", "memory", "--basis", basis, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)["facts"]
    assert facts["face_was_found"]
    assert facts["visit_level_was_inferred"]
    assert sum(facts["found_with_the_counter_empty"].values()) == 0
    assert facts["found_during_the_visit"]["sound (float32)"] > 0


@pytest.mark.slow
def test_an_engine_that_keeps_pictures_is_caught() -> None:
    verdict = audit_memory(child=(sys.executable, "-m", "tests.privacy.leaky_child"))
    assert any(problem.startswith("picture (BGR)") for problem in verdict.problems)
    assert verdict.facts["found_with_the_counter_empty"]["picture (BGR)"] == verdict.facts["needles"]["picture (BGR)"]


def test_a_canary_is_known_by_strings_that_are_its_own() -> None:
    first, second = make_canary(), make_canary()
    ours = needles_of(first, np.arange(48 * 48, dtype=np.uint8).reshape(48, 48))
    assert len(ours.forms) >= 8
    other = second.frame.tobytes() + second.sound.tobytes() + second.sentence.encode()
    assert not [string for found in ours.forms.values() for string in found if string in other]
    assert first.sentence != second.sentence


SIZES = (64, 96, 280, 512, 1_000, 1_032, 2_000, 4_096, 100_000, 700_000, 25_000_000)
LOOK = f"""
from edge.perception.scrub import bytes_left, scrub_freed_memory
print(scrub_freed_memory(), *(bytes_left(size) for size in {SIZES}))
"""


def freed(**environment: str) -> tuple[bool, dict[int, int]]:
    """Whether a new process says that it overwrites, and how much of each size it leaves."""
    command = (sys.executable, "-c", LOOK)
    said, *left = subprocess.check_output(command, text=True, env={**os.environ, **environment}).split()
    return said == "True", dict(zip(SIZES, map(int, left), strict=True))


def test_freed_memory_of_every_size_is_overwritten() -> None:
    overwrites, left = freed(**ENVIRONMENT)
    if not overwrites:
        pytest.fail("this C library cannot overwrite freed memory: see docs/privacy.md, memory")
    assert max(left.values()) <= LAST_BYTES


def test_a_process_without_the_environment_says_that_it_does_not() -> None:
    """A thread's own cache keeps what is small: so the look at it can fail, and the box warns."""
    overwrites, left = freed(**dict.fromkeys(ENVIRONMENT, ""))
    assert not overwrites
    assert left[280] > 200
    assert left[4_096] <= LAST_BYTES
    for name in ENVIRONMENT:
        assert not freed(**ENVIRONMENT | {name: ""})[0]
