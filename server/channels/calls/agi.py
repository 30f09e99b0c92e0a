"""The Asterisk Gateway Interface on standard input and output, as much of it as a questionnaire needs.

Asterisk writes `agi_...: value` lines and an empty one; then each command gets one answer, `200 result=N ...`; a
refused one `510` or `520`, on a channel that has hung up `511`. A hang-up also comes as a line `HANGUP` between answers
(of FastAGI), or as a signal; here all of them are one `HungUpError`.
(docs.asterisk.org, "AGI Commands": ANSWER, STREAM FILE, WAIT FOR DIGIT, HANGUP, VERBOSE.)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TextIO

KEYS = "0123456789*#"
_ANSWER = re.compile(r"(\d{3})(?:[ -]result=(-?\d+))?(.*)")
_END = re.compile(r"\bendpos=(\d+)")
_MAX_LINES = 100


class HungUpError(Exception):
    """The person hung up, or the line is gone."""


class AgiError(Exception):
    """Asterisk refused a command, or could not play a file."""


@dataclass(frozen=True, slots=True)
class _Reply:
    code: int
    result: int
    rest: str


class Agi:
    """One call. `hung_up` is set by whoever hears the signal of a hang-up."""

    def __init__(self, reader: TextIO, writer: TextIO) -> None:
        self._reader, self._writer = reader, writer
        self.hung_up = False
        self.given: dict[str, str] = {}
        """What Asterisk says of the call: `agi_uniqueid`, `agi_callerid`, `agi_arg_1`, ..."""
        for _ in range(_MAX_LINES):
            line = self._line()
            if not line:
                break
            name, _sign, value = line.partition(":")
            self.given[name.strip()] = value.strip()

    def answer(self) -> None:
        """Pick up. Raises `HungUpError`."""
        self._checked("ANSWER")

    def play(self, sound: str) -> str:
        """Play a file, named without its ending, until it ends or a key is pressed (barge-in); the key, or nothing.
        Raises `HungUpError`, `AgiError` where nothing of it was heard."""
        reply = self._checked(f'STREAM FILE "{sound}" "{KEYS}"')
        if reply.result:
            return chr(reply.result)
        end = _END.search(reply.rest)
        if end is None or int(end[1]) == 0:
            # a file that is not there, or in no form that Asterisk reads, is answered like one that was played
            raise AgiError(f"{sound} was not played")
        return ""

    def wait_key(self, wait_ms: int) -> str:
        """The key pressed within `wait_ms` milliseconds, or nothing. Raises `HungUpError`."""
        reply = self._checked(f"WAIT FOR DIGIT {wait_ms}")
        return chr(reply.result) if reply.result else ""

    def forget_keys(self) -> None:
        """Drop what was pressed before now: a key pressed twice does not answer the next question."""
        for _ in range(_MAX_LINES):
            if not self.wait_key(1):
                return

    def hang_up(self) -> None:
        """End the call; it may have ended."""
        try:
            self._command("HANGUP")
        except (HungUpError, AgiError):
            return

    def tell_log(self, words: str) -> None:
        """A line of Asterisk's own log; no number, no answer."""
        try:
            self._command(f'VERBOSE "{re.sub(r"[^A-Za-z0-9 .,:-]", " ", words)[:200]}" 1')
        except (HungUpError, AgiError):
            return

    def _checked(self, command: str) -> _Reply:
        reply = self._command(command)
        if reply.code == 511 or reply.result < 0:
            raise HungUpError
        return reply

    def _command(self, command: str) -> _Reply:
        if self.hung_up:
            raise HungUpError
        try:
            self._writer.write(command + "\n")
            self._writer.flush()
        except OSError:
            raise HungUpError from None
        for _ in range(_MAX_LINES):
            line = self._line()
            if line == "HANGUP":
                self.hung_up = True  # the answer to the command still comes
                continue
            match = _ANSWER.fullmatch(line)
            if match is None:
                continue  # the usage that stands between 520- and 520
            if match[1] in ("510", "520"):
                if line.startswith("520-"):
                    continue
                raise AgiError(f"Asterisk refused {command.split()[0]}")
            return _Reply(int(match[1]), int(match[2] or 0), match[3])
        raise AgiError("no answer of Asterisk is understood")

    def _line(self) -> str:
        line = self._reader.readline()
        if not line:
            raise HungUpError
        return line.strip()
