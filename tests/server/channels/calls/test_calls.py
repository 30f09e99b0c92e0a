"""Calls led on a line to an Asterisk that follows its documentation: barge-in, silence, `*`, `#`, hang-up, prompts."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import wave
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import insert, select

from pipeline.calendar import today
from pipeline.errors import ConfigError, ConflictError, StoreError
from server.channels.calls.agi import Agi, AgiError, HungUpError
from server.channels.calls.answering import BYE, MAX_SAID, SORRY, Answering, End
from server.channels.calls.client import NoReplyError, Server
from server.channels.calls.dialing import call_file, delete_left, dial, may_call
from server.channels.calls.prompts import MACHINE, Prompts, listed
from server.channels.gateway.gateway import make_gateway
from server.store.engine import read, write
from server.store.tables.contacts import phone_contacts
from server.store.tables.ratings import ratings
from tests.server.channels.calls.asterisk import HANGS_UP, Asterisk, Line, Person
from tests.server.conftest import Survey

QUESTIONS = ["1/3. Hài lòng?", "2/3. Nhanh?", "3/3. Lịch sự?"]


def speak(text: str, path: Path) -> None:
    """In place of espeak-ng: a tenth of a second at its rate, another tone for every text."""
    count = 2_205
    tone = 8_000 * np.sin(2 * np.pi * (200 + len(text)) * np.arange(count) / 22_050)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(22_050)
        file.writeframes(tone.astype("<i2").tobytes())


@dataclass
class Told(Server):
    """A server that asks three questions and keeps what it was sent."""

    sent: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    fails: bool = False

    def event(self, event: str, phone: str, text: str) -> tuple[str, bool]:
        if self.fails:
            raise NoReplyError(503)
        assert phone == "0912345678"
        self.sent.append(text)
        self.events.append(event)
        at = len(self.sent) - 1
        return (QUESTIONS[at], False) if at < len(QUESTIONS) and text != "#" else ("Xin cảm ơn.", True)


@dataclass
class Led:
    """A call that has ended."""

    end: End
    asterisk: Asterisk
    server: Told
    texts: list[str]
    """What was heard, in words."""


def lead(tmp_path: Path, person: Person, *, server: Told | None = None, inline: bool = False) -> Led:
    server = server or Told()
    prompts = Prompts(tmp_path / "sounds", speak)
    line = Line.opened(Asterisk(person, inline=inline))
    end = Answering(server, prompts).lead(Agi(line.reader, line.writer))
    asterisk = line.closed()
    names = {one.name: one.text for one in listed(tmp_path / "sounds")}
    return Led(end, asterisk, server, [names[name] for name in asterisk.played])


@pytest.mark.parametrize("late", [False, True])
def test_a_call_to_its_end(tmp_path: Path, late: bool) -> None:
    """With barge-in, and with keys pressed after a question has ended."""
    led = lead(tmp_path, Person(["", "5", "4", "3"], late=late))
    assert (led.end, led.server.sent) == (End.SAID_GOODBYE, ["", "5", "4", "3"])
    assert led.texts == [MACHINE, *QUESTIONS, "Xin cảm ơn."]
    assert led.asterisk.answered
    assert len(set(led.server.events)) == 4, "each key is an event of its own"
    assert led.asterisk.log == ["hailong: said goodbye"]


def test_a_star_says_it_again_and_never_for_ever(tmp_path: Path) -> None:
    led = lead(tmp_path, Person(["", "*", "*", "5", "*", "*", "*"]))
    assert led.texts == [MACHINE, *[QUESTIONS[0]] * 3, *[QUESTIONS[1]] * MAX_SAID, BYE]
    assert (led.end, led.server.sent) == (End.SILENT, ["", "5", "#"]), "what was answered is not lost"


def test_a_silent_line_ends_and_nobody_has_declined(tmp_path: Path) -> None:
    led = lead(tmp_path, Person([]))
    assert (led.end, led.server.sent) == (End.SILENT, [""])
    assert led.texts == [MACHINE, *[QUESTIONS[0]] * MAX_SAID, BYE]


@pytest.mark.parametrize("inline", [False, True])
@pytest.mark.parametrize(
    ("does", "sent"),
    [
        ([HANGS_UP], [""]),
        (["", HANGS_UP], [""]),
        (["", "5", HANGS_UP], ["", "5", "#"]),
        (["", "5", "4", HANGS_UP], ["", "5", "4", "#"]),
        (["", "5", "4", "3", HANGS_UP], ["", "5", "4", "3"]),
    ],
)
def test_hanging_up_in_the_middle_of_a_prompt(tmp_path: Path, does: list[str], sent: list[str], inline: bool) -> None:
    led = lead(tmp_path, Person(list(does)), inline=inline)
    assert (led.end, led.server.sent) == (End.HUNG_UP, sent)


def test_hash_ends_it(tmp_path: Path) -> None:
    led = lead(tmp_path, Person(["", "5", "#"]))
    assert (led.end, led.server.sent) == (End.SAID_GOODBYE, ["", "5", "#"])


def test_keys_pressed_before_a_question_is_heard_do_not_answer_it(tmp_path: Path) -> None:
    """Before the first prompt, and a key that bounces: each question is answered by what is pressed at it."""
    led = lead(tmp_path, Person(["", "55", "4", "3"], early="11"))
    assert led.server.sent == ["", "5", "4", "3"]


def test_a_server_that_fails_is_apologised_for(tmp_path: Path) -> None:
    led = lead(tmp_path, Person([]), server=Told(fails=True))
    assert (led.end, led.texts) == (End.NO_SERVER, [SORRY])


def test_a_prompt_that_cannot_be_played_does_not_count_as_heard(tmp_path: Path) -> None:
    """Asterisk answers it like one that was played: nobody must be waited for who heard nothing."""
    line = Line.opened(Asterisk(Person(["5"])))
    agi = Agi(line.reader, line.writer)
    with pytest.raises(AgiError):
        agi.play(str(tmp_path / "nothing"))
    agi.hang_up()
    with pytest.raises(HungUpError):
        agi.play("x")
    line.closed()
    with pytest.raises(ConfigError, match="espeak-ng"):
        Prompts(tmp_path, _dumb).of("x")


def _dumb(_text: str, _path: Path) -> None:
    raise ConfigError("espeak-ng cannot say it")  # type: ignore[arg-type]


def test_a_command_that_asterisk_refuses(tmp_path: Path) -> None:
    for command in ("NONSENSE", "STREAM FILE x"):
        line = Line.opened(Asterisk(Person([])))
        agi = Agi(line.reader, line.writer)
        with pytest.raises(AgiError, match="refused"):
            agi._checked(command)
        agi.answer()  # nothing of the usage is left over
        line.closed()


def test_recorded_prompts_are_played_and_machines_are_said_to_be(tmp_path: Path) -> None:
    first = lead(tmp_path, Person(["", "5", "#"]))
    assert first.texts[0] == MACHINE
    folder = tmp_path / "sounds"
    (folder / "recorded").mkdir()
    for one in listed(folder):
        speak(one.text, folder / "recorded" / "raw.wav")
        Prompts(tmp_path / "other", speak).of(one.text)
        made = next((tmp_path / "other" / "espeak-ng").glob(f"{one.name}.wav"))
        made.rename(folder / "recorded" / f"{one.name}.wav")
    assert all(one.recorded for one in listed(folder))
    again = lead(tmp_path, Person(["5", "#"]))
    assert again.texts == [*QUESTIONS[:2], "Xin cảm ơn."], "no machine is announced"


def test_what_lies_above_four_kilohertz_is_not_folded_down(tmp_path: Path) -> None:
    def high(_text: str, path: Path) -> None:
        tone = 8_000 * np.sin(2 * np.pi * 6_000 * np.arange(22_050) / 22_050)
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(22_050)
            file.writeframes(tone.astype("<i2").tobytes())

    sound = Prompts(tmp_path, high).of("x").sound
    with wave.open(f"{sound}.wav", "rb") as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    assert len(samples) == 8_000
    assert np.abs(samples).max() < 80


@pytest.mark.parametrize(
    ("when", "may"),
    [
        ("2026-11-30T07:59", False),
        ("2026-11-30T08:00", True),
        ("2026-11-30T16:59", True),
        ("2026-11-30T17:00", False),
        ("2026-11-28T10:00", True),  # a Saturday
        ("2026-11-29T10:00", False),
        ("2026-09-02T10:00", False),  # National Day
        ("2031-11-29T10:00", False),  # a Saturday of a year whose holidays nobody knows
    ],
)
def test_when_one_may_call(when: str, may: bool) -> None:
    assert may_call(datetime.fromisoformat(when)) is may


class _Numbers(Server):
    def __init__(self) -> None:
        self.asked: list[int] = []

    def to_ask(self, count: int) -> list[str]:
        self.asked.append(count)
        return ["0912345678", "0987654321"][:count]


def test_calls_are_begun_on_free_lines_at_the_hours_for_it(tmp_path: Path) -> None:
    spool = tmp_path / "outgoing"
    spool.mkdir()
    server, noon = _Numbers(), datetime.fromisoformat("2026-11-30T10:00")
    how = {"channel": "PJSIP/{phone}@trunk", "context": "hailong", "now": noon}
    assert dial(server, spool, lines=3, **how) == 2  # type: ignore[arg-type]
    files = sorted(spool.iterdir())
    assert not any("0912345678" in path.name for path in files)
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    told = dict(line.split(": ", 1) for path in files[:1] for line in path.read_text().splitlines())
    phone = told["Setvar"].removeprefix("HAILONG_PHONE=")
    assert told["Channel"] == f"PJSIP/{phone}@trunk"
    assert (told["Context"], told["Extension"], told["Archive"], told["MaxRetries"]) == ("hailong", "s", "no", "0")
    assert dial(server, spool, lines=2, **how) == 0, "no line is free, and no number was taken"  # type: ignore[arg-type]
    assert server.asked == [3]
    with pytest.raises(ConflictError):
        dial(server, spool, lines=9, **(how | {"now": datetime.fromisoformat("2026-11-29T10:00")}))  # type: ignore[arg-type]
    for channel in ("PJSIP/trunk", "PJSIP/{phone}\nApplication: System"):
        with pytest.raises(ConfigError):
            dial(server, spool, lines=9, **(how | {"channel": channel}))  # type: ignore[arg-type]
    assert server.asked == [3]
    with pytest.raises(ConfigError):
        call_file("PJSIP/{phone}@trunk", "hailong", "0912345678\nSetvar: X=1")


def _spool_of_another(spool: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """This process is a user of the machine that does not own the folder; the owner's name."""
    monkeypatch.setattr("os.geteuid", lambda: spool.stat().st_uid + 1)
    return pwd.getpwuid(spool.stat().st_uid).pw_name


def _spool_that_is_shut(spool: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The folder above the spool folder may not be written in."""
    monkeypatch.setattr("os.access", lambda path, _how: path == spool)
    return str(spool.parent)


def _spool_that_is_a_file(spool: Path, _monkeypatch: pytest.MonkeyPatch) -> str:
    spool.rmdir()
    spool.write_text("")
    return str(spool)


@pytest.mark.parametrize("wrong", [_spool_of_another, _spool_that_is_shut, _spool_that_is_a_file])
def test_no_number_is_taken_where_asterisk_could_not_read_its_call_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: Callable[[Path, pytest.MonkeyPatch], str]
) -> None:
    spool = tmp_path / "outgoing"
    spool.mkdir()
    named, server = wrong(spool, monkeypatch), _Numbers()
    how = {"channel": "PJSIP/{phone}@trunk", "context": "hailong", "now": datetime.fromisoformat("2026-11-30T10:00")}
    with pytest.raises(ConfigError, match=re.escape(named)):
        dial(server, spool, lines=3, **how)  # type: ignore[arg-type]
    assert server.asked == []


def test_a_folder_of_prompts_that_cannot_be_written_is_told_in_asterisks_log(tmp_path: Path) -> None:
    (tmp_path / "sounds").write_text("a file where the folder should be")
    with pytest.raises(ConfigError, match="cannot be written"):
        Prompts(tmp_path / "sounds", speak).of("x")
    assert "cannot be written" in str(lead(tmp_path, Person(["5"])).asterisk.log)


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
def test_espeak_ng_itself_says_a_prompt_that_asterisk_can_play(tmp_path: Path) -> None:
    said = Prompts(tmp_path).of(QUESTIONS[0])
    assert not said.recorded
    with wave.open(f"{said.sound}.wav", "rb") as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8_000, 1, 2)
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    assert len(samples) > 4_000, "half a second"
    assert np.abs(samples).max() > 1_000, "it is heard"


@pytest.mark.slow
def test_the_program_asterisk_starts_and_a_hang_up_by_signal(survey: Survey, tmp_path: Path) -> None:
    """The command itself on its standard input and output, against a running server: two answers, then SIGHUP."""
    phone = "0912345678"
    with write(survey.engine) as connection:
        number = survey.province.province_id
        secret = make_gateway(connection, number, "gw_call", "call", survey.round.id, None, survey.key)
        row = {"province_id": number, "round_id": survey.round.id, "agency_id": survey.agency, "phone": phone}
        more = {"service_group": 0, "state": "to_ask", "expires_day": today() + 90}
        connection.execute(insert(phone_contacts).values(**row, **more))
    key = tmp_path / "key"
    key.write_text(secret)
    key.chmod(0o600)
    where = ["--server", survey.url, "--gateway", "gw_call", "--key", str(key), "--sounds", str(tmp_path / "sounds")]
    # recorded prompts alone: every text that the call says, found by being led once
    server = Server(survey.url, "gw_call", secret)
    texts = [MACHINE, BYE, SORRY, server.event("x-1", phone, "")[0]]
    prompts = Prompts(tmp_path / "made", speak)
    (tmp_path / "sounds" / "recorded").mkdir(parents=True)
    texts += _all_questions(survey)
    for text in texts:
        made = Path(f"{prompts.of(text).sound}.wav")
        made.rename(tmp_path / "sounds" / "recorded" / made.name)
    asterisk = Asterisk(Person(["4", "5"]), given={"agi_arg_1": "+84 912 345 678"})
    program = [sys.executable, "-m", "hailong", "server", "call", "answer", *where]
    process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(asterisk.environment())
    process.stdin.flush()
    for line in process.stdout:
        if asterisk.played[2:] and not asterisk.dead:
            asterisk.dead = True
            process.send_signal(signal.SIGHUP)
        process.stdin.write(asterisk.reply(line.strip()))
        process.stdin.flush()
    assert process.wait(20) == 0
    process.stdin.close()
    process.stdout.close()
    with read(survey.engine) as connection:
        assert connection.execute(select(phone_contacts.c.state)).scalar_one() == "answered"
        assert connection.execute(select(ratings.c.a00).where(ratings.c.channel == "call_1022")).scalar_one() == 4


def _all_questions(survey: Survey) -> list[str]:
    from server.channels.gateway.conversation import question

    instrument = survey.round.load_instrument()
    return [question(instrument, step, spoken=True) for step in range(len(instrument.short))]


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    from hailong.cli import main

    key = tmp_path / "key"
    key.write_text("ab" * 32)
    key.chmod(0o644)
    where = ["--server", "https://khaosat.example.vn", "--gateway", "g", "--key", str(key)]
    assert main(["server", "call", "dial", *where]) == 1
    assert main(["server", "call", "dial"]) == 1
    assert main(["server", "call", "prompts", "--sounds", str(tmp_path)]) == 0


def test_a_number_that_asterisk_never_took_does_not_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asterisk was down, or the run was killed between writing and moving: the numbers lay there for good, and calls
    began at night when it came up again."""
    spool = tmp_path / "outgoing"
    spool.mkdir()
    noon = datetime.fromisoformat("2026-11-30T10:00")
    how = {"channel": "PJSIP/{phone}@trunk", "context": "hailong", "now": noon, "lines": 9}
    assert dial(_Numbers(), spool, **how) == 2  # type: ignore[arg-type]
    assert delete_left(spool) == 0, "a call under way"
    monkeypatch.setattr("server.channels.calls.dialing.os.replace", _killed)
    with pytest.raises(KeyboardInterrupt):
        dial(_Numbers(), spool, **how)  # type: ignore[arg-type]
    (other := spool / "other.call").write_text("somebody else's")
    found = [*spool.glob("hailong-*"), *tmp_path.glob(".hailong-*")]
    assert len(found) == 3
    for path in (*found, other):
        os.utime(path, (0, 0))
    assert delete_left(spool) == 3
    assert [path.name for path in (*spool.iterdir(), *tmp_path.glob(".*"))] == ["other.call"]


def _killed(*_paths: object) -> None:
    raise KeyboardInterrupt


def test_a_full_disk_leaves_no_number_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_paths: object) -> None:
        raise OSError(28, "No space left on device")

    spool = tmp_path / "outgoing"
    spool.mkdir()
    monkeypatch.setattr("server.channels.calls.dialing.os.replace", full)
    how = {"channel": "PJSIP/{phone}@trunk", "context": "hailong", "lines": 9}
    with pytest.raises(StoreError, match="No space left"):
        dial(_Numbers(), spool, now=datetime.fromisoformat("2026-11-30T10:00"), **how)  # type: ignore[arg-type]
    assert list(tmp_path.glob(".*")) == []


def test_two_calls_of_one_id_are_two_calls(tmp_path: Path) -> None:
    """Two machines may count alike, and one that names no call at all is possible: the second citizen heard what had
    been said to the first, and no key counted. Asterisk's id also tells the second of the call."""
    first, second = (lead(tmp_path, Person(["", "1", "2", "3"])).server.events for _ in range(2))
    assert first
    assert not set(first) & set(second)
    assert not any("1764490000" in one for one in first)
