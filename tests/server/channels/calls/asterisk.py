"""Stands in for Asterisk: the other side of the Asterisk Gateway Interface as its documentation tells it, and a person
at the telephone. No Asterisk is in Debian 12, and no registry of packages has one that can be run.

Checked against what docs.asterisk.org says of each command: a command's form (else 510, or 520 with its usage), the
keys that end a prompt, `endpos` 0 for a file that cannot be opened, keys pressed early waiting in the channel, -1 and
then 511 after a hang-up, and the line `HANGUP` between answers.
"""

from __future__ import annotations

import os
import re
import shlex
import threading
import wave
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

HANGS_UP = "hangs up"
"""What a person does in place of a key."""


@dataclass
class Person:
    """What somebody does at each prompt that is played: a key, nothing (""), or `HANGS_UP`; `late`: after the prompt's
    end. What stands beyond the list is silence. `early`: keys pressed before the first prompt."""

    does: list[str]
    late: bool = False
    early: str = ""


@dataclass
class Asterisk:
    """One call. `played`: names of the files that were heard, in their order."""

    person: Person
    inline: bool = False
    """A line `HANGUP`, as FastAGI has it."""
    given: dict[str, str] = field(default_factory=dict)
    played: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    answered: bool = False
    dead: bool = False
    _buffer: str = ""
    _pending: str = ""

    def environment(self) -> str:
        """The lines before the first command."""
        given = {
            "agi_network": "yes",
            "agi_request": "hailong-agi",
            "agi_channel": "PJSIP/trunk-00000001",
            "agi_uniqueid": "1764490000.1",
            "agi_callerid": "0912345678",
        }
        lines = [f"{name}: {value}" for name, value in (given | self.given).items()]
        return "\n".join(lines) + "\n\n"

    def reply(self, line: str) -> str:
        """The lines that answer a command."""
        words = shlex.split(line)
        before = "HANGUP\n" if self.inline and self._hangs_up_now(words) else ""
        return before + self._reply(words)

    def _hangs_up_now(self, words: list[str]) -> bool:
        return not self.dead and words[:2] == ["STREAM", "FILE"] and self.person.does[:1] == [HANGS_UP]

    def _reply(self, words: list[str]) -> str:
        if self.dead and words[0] not in ("VERBOSE", "HANGUP"):
            return "511 Command Not Permitted on a dead channel or intercept routine\n"
        match words:
            case ["ANSWER"]:
                self.answered = True
                self._buffer += self.person.early
                return "200 result=0\n"
            case ["STREAM", "FILE", sound, keys]:
                return self._stream(sound, keys)
            case ["WAIT", "FOR", "DIGIT", wait_ms] if re.fullmatch(r"-?\d+", wait_ms):
                return self._wait(int(wait_ms))
            case ["VERBOSE", words_, level] if level.isdigit():
                self.log.append(words_)
                return "200 result=1\n"
            case ["HANGUP"]:
                self.dead = True
                return "200 result=1\n"
            case ["STREAM" | "WAIT" | "VERBOSE", *_rest]:
                return "520-Invalid command syntax.  Proper usage follows:\nUsage: ...\n520 End of proper usage.\n"
        return "510 Invalid or unknown command\n"

    def _stream(self, sound: str, keys: str) -> str:
        path = Path(f"{sound}.wav")
        if not path.is_file():
            return "200 result=0 endpos=0\n"
        with wave.open(str(path), "rb") as file:
            if (file.getnchannels(), file.getsampwidth(), file.getframerate()) != (1, 2, 8_000):
                return "200 result=0 endpos=0\n"
            length = file.getnframes()
        self.played.append(path.stem)
        if self._buffer:
            key, self._buffer = self._buffer[0], self._buffer[1:]
            return f"200 result={ord(key)} endpos=0\n"
        does = self.person.does.pop(0) if self.person.does else ""
        if does == HANGS_UP:
            self.dead = True
            return f"200 result=-1 endpos={length // 2}\n"
        if does and not self.person.late and does[0] in keys:
            self._buffer += does[1:]  # a key that is pressed twice, or bounces
            return f"200 result={ord(does[0])} endpos={length // 2}\n"
        self._pending = does
        return f"200 result=0 endpos={length}\n"

    def _wait(self, wait_ms: int) -> str:
        if self._buffer:
            key, self._buffer = self._buffer[0], self._buffer[1:]
            return f"200 result={ord(key)}\n"
        if wait_ms > 100 and self._pending:
            key, self._pending = self._pending, ""
            return f"200 result={ord(key)}\n"
        return "200 result=0\n"


@dataclass
class Line:
    """The two pipes between Asterisk and a program. `reader`, `writer`: the program's ends."""

    asterisk: Asterisk
    reader: TextIO
    writer: TextIO
    thread: threading.Thread

    @classmethod
    def opened(cls, asterisk: Asterisk) -> Line:
        """A line on which Asterisk already serves."""
        to_program, from_asterisk = os.pipe()
        to_asterisk, from_program = os.pipe()
        commands, replies = os.fdopen(to_asterisk, "r"), os.fdopen(from_asterisk, "w")

        def serve() -> None:
            with commands, replies:
                try:
                    replies.write(asterisk.environment())
                    replies.flush()
                    for line in commands:
                        replies.write(asterisk.reply(line.strip()))
                        replies.flush()
                except BrokenPipeError:
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        return cls(asterisk, os.fdopen(to_program, "r"), os.fdopen(from_program, "w"), thread)

    def closed(self) -> Asterisk:
        """Close the program's ends; what Asterisk has seen."""
        self.writer.close()
        self.thread.join(5)
        self.reader.close()
        return self.asterisk
