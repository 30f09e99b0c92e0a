"""One call from picking up to hanging up: plays what the server says, sends it the keys that are pressed.

`*` says the question again, silence too, each a few times and without the server: a line on which nobody speaks never
runs on. `#` ends it. Only what is pressed while or after a question is heard answers it. Whoever hangs up after an
answer has said so much: the server is told, and keeps what is valid. Whoever hangs up before any answer is told
nothing of: he may be reminded once, like somebody who did not pick up.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from enum import StrEnum

from pipeline.errors import HailongError
from server.channels.calls.agi import Agi, AgiError, HungUpError
from server.channels.calls.client import NoReplyError, Server
from server.channels.calls.prompts import MACHINE, Prompts

WAIT_MS = 6_000
"""Silence after a question, until it is said again."""
MAX_SAID = 3
"""How often one question is said, for silence or `*`."""
MAX_CALL_S = 600.0
SORRY = "Xin lỗi Ông/Bà, cuộc khảo sát đang bị gián đoạn. Xin cảm ơn."
BYE = "Không nhận được trả lời. Xin cảm ơn Ông/Bà."


class End(StrEnum):
    """How a call ended; no number and no answer."""

    SAID_GOODBYE = "said_goodbye"
    """The server ended it: all asked, `#`, not on the list, or nothing understood."""
    HUNG_UP = "hung_up"
    SILENT = "silent"
    NO_SERVER = "no_server"
    NO_SOUND = "no_sound"
    """A prompt could not be made or played."""


class Answering:
    """Leads calls. `clock`: seconds, growing."""

    def __init__(self, server: Server, prompts: Prompts, clock: Callable[[], float] = time.monotonic) -> None:
        self._server, self._prompts, self._clock = server, prompts, clock

    def lead(self, agi: Agi) -> End:
        """Lead one call to its end."""
        call = _Call(agi, self._server, self._prompts, self._clock)
        try:
            end = call.go()
        except HungUpError:
            end = End.HUNG_UP
        except NoReplyError:
            end = call.apologise(End.NO_SERVER)
        except (AgiError, HailongError) as error:
            agi.tell_log(f"hailong: {error}")
            end = call.apologise(End.NO_SOUND)
        call.close(end)
        return end


class _Call:
    def __init__(self, agi: Agi, server: Server, prompts: Prompts, clock: Callable[[], float]) -> None:
        self._agi, self._server, self._prompts, self._clock = agi, server, prompts, clock
        self._phone = agi.given.get("agi_arg_1") or agi.given.get("agi_callerid", "")
        self._id = secrets.token_hex(16)  # Asterisk's own tells the second of the call, and comes again on a second one
        self._events = 0
        self._pressed = False
        self._over = False
        self._until = clock() + MAX_CALL_S

    def go(self) -> End:
        self._agi.answer()
        reply, end = self._send("")
        if not self._prompts.of(reply).recorded:
            self._agi.play(self._prompts.of(MACHINE).sound)
        while not end:
            key = self._ask(reply)
            if not key:
                self._agi.play(self._prompts.of(BYE).sound)
                return End.SILENT
            reply, end = self._send(key)
            self._pressed = True
        self._agi.play(self._prompts.of(reply).sound)
        return End.SAID_GOODBYE

    def _ask(self, text: str) -> str:
        """The key that answers a question; nothing where nobody pressed one."""
        for _ in range(MAX_SAID):
            if self._clock() > self._until:
                return ""
            prompt = self._prompts.of(text)
            self._agi.forget_keys()
            key = self._agi.play(prompt.sound) or self._agi.wait_key(WAIT_MS)
            if key and key != "*":
                return key
        return ""

    def _send(self, text: str) -> tuple[str, bool]:
        self._events += 1
        reply, self._over = self._server.event(f"{self._id}-{self._events}", self._phone, text)
        return reply, self._over

    def apologise(self, end: End) -> End:
        """Say that it cannot go on, if even that can be said."""
        try:
            self._agi.play(self._prompts.of(SORRY).sound)
        except (AgiError, HungUpError, HailongError):
            return end
        return end

    def close(self, end: End) -> None:
        """Tell the server of a call that ended after an answer; hang up."""
        if self._pressed and not self._over and end in (End.HUNG_UP, End.SILENT, End.NO_SOUND):
            try:
                self._send("#")
            except NoReplyError:
                self._agi.tell_log("hailong: the end of a call was not taken")
        self._agi.tell_log(f"hailong: {end}")
        self._agi.hang_up()
