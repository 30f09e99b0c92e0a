"""Feed a canary picture, sound and sentence through the real engine in a process of its own, end the visit, and search
the process's memory for them.

The memory is searched three times: during the visit (they must be found, or the search would prove nothing), when the
visit has ended, and after some seconds of an empty counter, when nothing of them may be left. Needs Linux
(/proc/PID/mem).

Under the legal basis `consent` the citizen agrees at the visit's beginning, and afterwards camera and microphone are
closed: no empty counter is fed, which would overwrite what the networks last held.

Examples:
  hailong audit memory
  hailong audit memory --basis consent
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.audit.canary import HEIGHT_PX, WIDTH_PX, Canary, Needles, make_canary, needles_of
from edge.audit.haystack import Haystack
from edge.audit.memory_child import HEADER
from edge.audit.trace import BASES
from edge.perception.scrub import ENVIRONMENT
from pipeline.audit.figures import figure_words
from pipeline.audit.verdict import Verdict, report
from pipeline.errors import SourceError
from pipeline.language import Message

CHILD = (sys.executable, "-m", "edge.audit.memory_child")
VISIT_S = 3.0
EMPTY_S = 4.0
RATE_HZ = 8
CHUNK = 2_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `hailong audit memory`."""
    parser.add_argument(
        "--empty-s",
        type=float,
        default=EMPTY_S,
        help=Message("seconds of an empty counter afterwards (default {seconds})", seconds=f"{EMPTY_S:g}"),
    )
    parser.add_argument("--basis", choices=BASES, default=BASES[0], help="legal basis of the box")
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(args: argparse.Namespace) -> int:
    """Entry point."""
    return report(audit_memory(args.empty_s, basis=args.basis), args.json)


def audit_memory(empty_s: float = EMPTY_S, child: Sequence[str] = CHILD, basis: str = BASES[0]) -> Verdict:
    """Run the audit. `child`: the process to search; another than the real one only to see a leak caught. `basis`: one
    of `edge.audit.trace.BASES`."""
    verdict = Verdict(
        "memory",
        Message(
            "After a visit has ended and the counter is empty, the canary picture, sound and sentence are no longer "
            "found in the process's memory."
        ),
    )
    if not Path("/proc/self/mem").exists():
        raise SourceError(Message("This system has no /proc/PID/mem."), Message("Run the audit on Linux."))
    canary = make_canary()
    with subprocess.Popen(
        [*child, basis], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **ENVIRONMENT}
    ) as process:
        try:
            _Run(verdict, _Child(process), canary, empty_s, basis == "consent").go()
        finally:
            process.kill()
    verdict.cannot_check += [
        Message(
            "other forms than those listed, such as activations inside a network, from which a picture might be "
            "reconstructed;"
        ),
        Message(
            "pages that were swapped out, the graphics processor's memory, the camera's and the kernel's own buffers;"
        ),
        Message(
            "the threads of capture, and speech recognition itself, unless its weights are there: the sentence is fed "
            "in after it."
        ),
    ]
    if not canary.has_face or not canary.has_voice:
        verdict.problems.append(
            Message(
                "no real face or voice was at hand, so that the networks had little to do: hailong models fetch --demo"
            )
        )
    return verdict


class _Child:
    """The other end of the pipe."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.pid = process.pid
        self._process = process
        self.answer()

    def send(self, kind: bytes, time_s: float, payload: bytes = b"") -> dict[str, Any]:
        """One request and its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(HEADER.pack(kind, time_s, len(payload)))
        self._process.stdin.write(payload)
        self._process.stdin.flush()
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """One line."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SourceError(
                Message("The engine under audit ended early."),
                Message("Try hailong edge check: weights may be missing."),
            )
        found: dict[str, Any] = json.loads(line)
        return found


class _Run:
    def __init__(self, verdict: Verdict, child: _Child, canary: Canary, empty_s: float, closes: bool) -> None:
        self._verdict, self._child, self._canary, self._empty_s = verdict, child, canary, empty_s
        self._closes = closes
        """Whether camera and microphone are closed after the visit."""
        self._empty = np.full((HEIGHT_PX, WIDTH_PX, 3), 90, np.uint8)

    def go(self) -> None:
        child, canary = self._child, self._canary
        self._check_search()
        child.send(b"V", 0.0)
        self._play(0.0, VISIT_S, canary.frame, canary.sound)
        keypoints = child.send(b"K", VISIT_S)["keypoints"]
        read = child.send(b"S", VISIT_S, canary.sentence.encode())["read"]
        child.send(b"F", VISIT_S, canary.frame.tobytes())
        needles = needles_of(
            canary, None if keypoints is None else _crop(canary.frame, np.array(keypoints, np.float32))
        )
        during = search(child.pid, needles)
        ended = child.send(b"E", VISIT_S + 0.1)
        at_end = search(child.pid, needles)
        if self._closes:
            time.sleep(self._empty_s)
        else:
            self._next_citizen()
        after = search(child.pid, needles)
        self._judge(needles, during, at_end, after, read)
        self._verdict.facts["visit_level_was_inferred"] = ended["level"] != 5
        self._verdict.facts["face_was_found"] = keypoints is not None
        child.send(b"X", 0.0)

    def _next_citizen(self) -> None:
        """The counter is empty, then the next citizen comes, of whom nothing is known here."""
        child, silence = self._child, np.zeros(CHUNK, np.float32)
        self._play(VISIT_S + 1.0, VISIT_S + 1.0 + self._empty_s, self._empty, silence)
        child.send(b"V", VISIT_S + 2.0 + self._empty_s)
        self._play(VISIT_S + 2.0 + self._empty_s, VISIT_S + 3.0 + self._empty_s, self._empty, silence)
        child.send(b"S", 0.0, ("bình thường " * 8).encode())
        child.send(b"E", VISIT_S + 3.1 + self._empty_s)

    def _check_search(self) -> None:
        """Another canary, held on purpose, must be found, and not be found when it is let go."""
        control = make_canary()
        forms = {
            "picture (BGR)": control.frame.tobytes(),
            "sound (float32)": control.sound.tobytes(),
            "sentence (utf-8)": control.sentence.encode(),
        }
        for data in forms.values():
            self._child.send(b"H", 0.0, data)
        needles = needles_of(control)
        held = search(self._child.pid, needles)
        self._child.send(b"R", 0.0)
        for form in forms:
            if held[form] < len(needles.forms[form]):
                self._verdict.problems.append(
                    Message(
                        "{form}: a canary held on purpose was not found: the search proves nothing",
                        form=figure_words(form),
                    )
                )

    def _play(self, start_s: float, end_s: float, frame: NDArray[np.uint8], sound: NDArray[np.float32]) -> None:
        for number in range(int((end_s - start_s) * RATE_HZ)):
            time_s = start_s + number / RATE_HZ
            self._child.send(b"F", time_s, frame.tobytes())
            at = number * CHUNK % max(1, len(sound) - CHUNK + 1)
            self._child.send(b"C", time_s, sound[at : at + CHUNK].astype(np.float32).tobytes())

    def _judge(
        self, needles: Needles, during: dict[str, int], at_end: dict[str, int], after: dict[str, int], read: bool
    ) -> None:
        verdict = self._verdict
        verdict.facts = {
            "needles": {form: len(found) for form, found in needles.forms.items()},
            "found_during_the_visit": during,
            "found_when_it_had_ended": at_end,
            "found_with_the_counter_empty": after,
        }
        for form, count in after.items():
            if count:
                verdict.problems.append(
                    Message(
                        "{form}: {count} of {all} strings are still in memory",
                        form=figure_words(form),
                        count=count,
                        all=len(needles.forms[form]),
                    )
                )
        if not read:
            verdict.cannot_check.append(Message("the sentence: the weights that read sentences are not there."))


def _crop(frame: NDArray[np.uint8], keypoints: NDArray[np.float32]) -> NDArray[np.uint8]:
    from models.face_crop import crop_face

    return crop_face(frame, keypoints).pixels


def search(pid: int, needles: Needles) -> dict[str, int]:
    """How many of each form's strings occur anywhere in the writable memory of the process."""
    haystack = Haystack(string for strings in needles.forms.values() for string in strings)
    found: set[bytes] = set()
    for block in memory_blocks(pid):
        found |= haystack.found_in(block)
    return {form: len(found & set(strings)) for form, strings in needles.forms.items()}


def memory_blocks(pid: int, block_bytes: int = 64 * 1024 * 1024, overlap: int = 256) -> Iterator[bytes]:
    """The writable mappings of a process of ours, in overlapping blocks."""
    maps = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8").splitlines()
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            span, permissions, *_ = line.split()
            if not permissions.startswith("rw"):
                continue
            start, end = (int(part, 16) for part in span.split("-"))
            while start < end:
                try:
                    memory.seek(start)
                    block = memory.read(min(block_bytes, end - start))
                except (OSError, ValueError, OverflowError):
                    break
                if not block:
                    break
                yield block
                start += max(1, len(block) - overlap) if len(block) == block_bytes else len(block)
