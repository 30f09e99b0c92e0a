"""What of a visit is still found in the memory of the real engine's process after it."""

from __future__ import annotations

import ctypes
import json
import sys

import numpy as np
import pytest

from edge.audit.canary import make_canary, needles_of
from edge.audit.memory import audit_memory
from edge.audit.trace import BASES
from edge.perception.scrub import scrub_freed_memory
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


def test_freed_memory_is_overwritten() -> None:
    if not scrub_freed_memory():
        pytest.fail("this C library cannot overwrite freed memory: see docs/privacy.md, memory")
    library = ctypes.CDLL(None)
    library.malloc.restype = ctypes.c_void_p
    library.malloc.argtypes = [ctypes.c_size_t]
    library.free.argtypes = [ctypes.c_void_p]
    address = library.malloc(4_096)
    ctypes.memset(address, 0x41, 4_096)
    library.free(address)
    left = ctypes.string_at(address + 64, 2_048)  # the first bytes are the allocator's own
    assert left.count(0x41) == 0
