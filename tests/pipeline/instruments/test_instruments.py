"""Instruments: what ships is what the decisions ask, wrong files are refused by name, sheets are checked, boxes take
only the server's files."""

from __future__ import annotations

import contextlib
import tracemalloc
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import ConfigError, WireError
from pipeline.instruments import (
    Instrument,
    ProblemKind,
    RatingFlag,
    check_answers,
    drop_unasked,
    instrument_bytes,
    library,
    load_by_wire_code,
    load_instrument,
    load_service_groups,
    parse_instrument,
    shipped_instruments,
)
from pipeline.instruments.instrument import MAX_BYTES
from pipeline.instruments.questionnaire import make_questionnaire
from pipeline.instruments.signed import _signed_bytes, open_signed, sign_file
from pipeline.instruments.writing import write_instrument
from pipeline.language import in_language
from pipeline.wire import ANSWER_SLOTS, SignedFile


def sheet(**answers: int) -> tuple[int, ...]:
    """A sheet of instrument 1383 with these answers."""
    slots = load_instrument("1383").slots
    values = [0] * ANSWER_SLOTS
    for code, answer in answers.items():
        values[slots[code]] = answer
    return tuple(values)


@pytest.mark.parametrize(
    ("code", "wire_code", "sizes", "criteria", "facts"),
    [
        ("1383", 101, {"A": 5, "B": 3, "C": 4, "D": 6, "E": 3}, 17, 4),
        ("2640", 201, {"A": 4, "B": 5, "C": 6, "D": 3, "E": 4}, 22, 0),
    ],
)
def test_shipped(code: str, wire_code: int, sizes: dict[str, int], criteria: int, facts: int) -> None:
    instrument = load_instrument(code)
    assert instrument.wire_code == wire_code
    assert load_by_wire_code(wire_code) == instrument
    assert {f.code: sum(i.factor == f.code for i in instrument.items) for f in instrument.factors} == sizes
    assert (len(instrument.criteria), len(instrument.facts)) == (criteria, facts)
    assert sorted(instrument.slots.values()) == list(range(criteria + facts + 1))
    assert len(instrument.kiosk) == 9
    assert all(question.item in instrument.slots for question in instrument.kiosk)
    assert instrument.emotion_factor == "C"
    assert "pooling" in instrument.recalled


def test_slots_are_pinned() -> None:
    """Slots of a version never change: stored answers and boxes in the field rely on them."""
    assert " ".join(load_instrument("1383").slots) == (
        "overall A1 A2 A3 A4 A5 B1 B2 B3 C1 C2 C3 C4 D1 D2 D3 D4 D5 D6 E1 E2 E3"
    )
    assert " ".join(load_instrument("2640").slots) == (
        "overall A1 A2 A3 A4 B1 B2 B3 B4 B5 C1 C2 C3 C4 C5 C6 D1 D2 D3 E1 E2 E3 E4"
    )


def test_service_groups_fit_the_wire() -> None:
    groups = load_service_groups()
    assert [group.number for group in groups] == list(range(len(groups)))
    assert groups[0].code == "unspecified"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('code = "A2"\nslot = 2', 'code = "A1"\nslot = 2', "item A1 appears twice"),
        ('code = "A2"\nslot = 2', 'code = "A2"\nslot = 1', "slot 1 appears twice"),
        ('code = "A2"\nslot = 2', 'code = "A2"\nslot = 256', "slot"),
        ('emotion_factor = "C"', 'emotion_factor = "X"', "emotion_factor X is no factor"),
        ('asked_if = "E1"', 'asked_if = "A1"', "asked if A1"),
        ('pooling = "pooled_answers"', 'pooling = "mean"', "pooling"),
        ('decision = "', 'colour = "red"\ndecision = "', "colour"),
        ("answer = 5", "answer = 6", "answer"),
        ('item = "overall"', 'item = "D2"', "kiosk question D2"),
    ],
)
def test_wrong_files_are_refused_by_name(old: str, new: str, message: str) -> None:
    _, content = instrument_bytes("1383")
    changed = content.decode().replace(old, new, 1)
    assert changed != content.decode()
    with pytest.raises(ConfigError, match=message) as error:
        parse_instrument(changed.encode(), "mine.toml")
    assert "mine.toml" in str(error.value)


def test_a_province_adds_an_instrument_without_code(tmp_path: Path) -> None:
    _, content = instrument_bytes("2640")
    newer = content.decode().replace("version = 1\nwire_code = 201", "version = 2\nwire_code = 202")
    (tmp_path / "2640-v2.toml").write_text(newer, encoding="utf-8")
    assert load_instrument("2640", folder=tmp_path).version == 2
    assert load_instrument("2640", 1, folder=tmp_path).wire_code == 201
    assert len(shipped_instruments(tmp_path)) == len(shipped_instruments()) + 1
    (tmp_path / "again.toml").write_bytes(content)
    with pytest.raises(ConfigError, match="wire code 201"):
        shipped_instruments(tmp_path)


def test_a_file_is_read_once_for_each_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before, every page and every sheet of an unknown instrument read all files anew: 20 ms each time."""
    _, content = instrument_bytes("2640")
    newer = content.decode().replace("version = 1\nwire_code = 201", "version = 2\nwire_code = 202")
    own, read = tmp_path / "2640-v2.toml", list[str]()

    def reads(content: bytes, name: str) -> Instrument:
        read.append(name)
        return parse_instrument(content, name)

    monkeypatch.setattr(library, "parse_instrument", reads)
    own.write_text(newer, encoding="utf-8")
    first = load_instrument("2640", folder=tmp_path)
    read.clear()
    assert load_instrument("2640", folder=tmp_path) is first
    with pytest.raises(ConfigError):
        load_by_wire_code(65_000, tmp_path)
    assert read == []
    own.write_text(newer.replace("version = 2", "version = 3"), encoding="utf-8")
    assert load_instrument("2640", folder=tmp_path).version == 3, "what is written anew is read anew"
    assert len(read) == 1


@pytest.mark.parametrize(
    ("answers", "full_form", "reasons", "expected"),
    [
        (sheet(overall=5), False, 0, []),
        (sheet(overall=5), True, 0, [ProblemKind.TOO_FEW]),
        (sheet(), False, 0, [ProblemKind.TOO_FEW]),
        (sheet(D2=6, D3=7), False, 0, [ProblemKind.TOO_FEW]),
        (sheet(C1=4), False, 0, []),
        (sheet(C1=6), False, 0, [ProblemKind.OFF_SCALE]),
        (sheet(overall=7), False, 0, [ProblemKind.OFF_SCALE]),
        (sheet(C1=4, D2=3), False, 0, [ProblemKind.NOT_YES_NO]),
        (sheet(C1=4, D2=6), False, 0b1, []),
        (sheet(C1=4), False, 1 << 15, [ProblemKind.REASONS]),
        ((3,) * 5, False, 0, [ProblemKind.LENGTH]),
        ((*sheet(C1=4)[:-1], 4), False, 0, [ProblemKind.UNUSED_SLOT]),
        # behind a filter answered no: not counted, so this sheet says nothing
        (sheet(E1=7, E2=5, E3=5), False, 0, [ProblemKind.TOO_FEW]),
        # seven of the 15 criteria that apply are fewer than half, eight are enough
        (sheet(**dict.fromkeys(("A1", "A2", "A3", "A4", "A5", "B1", "B2"), 4)), True, 0, [ProblemKind.TOO_FEW]),
        (sheet(**dict.fromkeys(("A1", "A2", "A3", "A4", "A5", "B1", "B2", "B3"), 4)), True, 0, []),
    ],
)
def test_sheets(answers: tuple[int, ...], full_form: bool, reasons: int, expected: list[ProblemKind]) -> None:
    problems = check_answers(load_instrument("1383"), answers, full_form=full_form, reasons=reasons)
    assert [problem.kind for problem in problems] == expected


def test_answers_behind_a_filter_are_dropped() -> None:
    instrument = load_instrument("1383")
    assert drop_unasked(instrument, sheet(overall=4, E1=7, E2=5, E3=1)) == sheet(overall=4, E1=7)
    assert drop_unasked(instrument, sheet(overall=4, E1=6, E2=5)) == sheet(overall=4, E1=6, E2=5)
    assert drop_unasked(instrument, sheet(overall=4, E3=5)) == sheet(overall=4, E3=5)


def test_flags_fit_four_bits_and_have_labels() -> None:
    assert all(0 <= flag <= 15 and in_language(flag.label, "vi") and str(flag.label) for flag in RatingFlag)


def test_boxes_take_only_signed_instruments_and_never_older_ones() -> None:
    key = Ed25519PrivateKey.generate()
    name, content = instrument_bytes("2640")
    file = sign_file(name, content, key)
    instrument = open_signed(file, key.public_key())
    assert instrument == load_instrument("2640")
    forged = [
        msgspec.structs.replace(file, content=content.replace(b"weight = 1.0", b"weight = 2.0")),
        msgspec.structs.replace(file, name="1383.toml"),
        msgspec.structs.replace(file, signature=bytes(64)),
    ]
    for bad in forged:
        with pytest.raises(WireError, match="signature"):
            open_signed(bad, key.public_key())
    with pytest.raises(WireError, match="signature"):
        open_signed(file, Ed25519PrivateKey.generate().public_key())
    with pytest.raises(WireError, match="older"):
        open_signed(file, key.public_key(), at_least=msgspec.structs.replace(instrument, version=2))
    with pytest.raises(ConfigError):
        sign_file("other.toml", b"x = 1", key)


BOMBS = {
    "dotted key": b".".join([b"a"] * 100_000) + b" = 1",
    "dotted key in a table": b"x = {" + b".".join([b"a"] * 30_000) + b" = 1}",
    "quoted dotted key": b".".join([b'""'] * 20_000) + b" = 1",
    "dotted keys in many lines": b"\n".join(b".".join([b"a"] * 900) + b".b%d = 1" % n for n in range(30)),
    "tables": b"[" + b".".join([b"a"] * 30_000) + b"]",
    "arrays": b"x = " + b"[" * 30_000 + b"]" * 30_000,
    "arrays in many lines": b"x = " + b"[\n" * 1_900,
    "inline tables": b"x = " + b"{a = " * 10_000 + b"1" + b"}" * 10_000,
    "digits": b"x = " + b"9" * 60_000,
    "digits within bounds": b"x = [" + b"9" * 1_900 + b"]\ny = " + b"9" * 1_900,
    "lines": b"\n" * 60_000,
    "one long line": b"#" + b"x" * 60_000,
    "no text": bytes(range(256)) * 100,
    "large": b"# " + b"x" * 300_000,
}


@pytest.mark.parametrize("name", list(BOMBS))
def test_what_is_no_instrument_costs_next_to_nothing(name: str) -> None:
    """200 KB under the server's own signature took 15.5 GB: a signature says whose it is, not that it is harmless."""
    content, key = BOMBS[name], Ed25519PrivateKey.generate()
    signed = SignedFile("x.toml", content, key.sign(_signed_bytes("x.toml", content)))
    tracemalloc.start()
    try:
        with pytest.raises((ConfigError, WireError)):
            open_signed(signed, key.public_key())
        with pytest.raises(ConfigError):
            parse_instrument(content)
        with pytest.raises(ConfigError):
            sign_file("x.toml", content, key)
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


def test_a_wording_may_be_in_any_language() -> None:
    plain = load_instrument("2640")
    first = plain.items[0]
    told = msgspec.structs.replace(first, more=(("tyz", "Cần bộ tẻo lùm?"),))
    title = msgspec.structs.replace(plain.title, more=(("km", "សំណួរ"),))
    mine = msgspec.structs.replace(plain, title=title, items=(told, *plain.items[1:]))
    content = write_instrument(mine)
    assert 'more = [["tyz", "Cần bộ tẻo lùm?"]]' in content.decode()
    read = parse_instrument(content)
    assert read == mine
    assert hash(read.items[0]) == hash(told)
    assert [in_language(read.items[0], lang) for lang in ("vi", "en", "tyz", "km")] == [
        first.vi, first.en, "Cần bộ tẻo lùm?", first.vi
    ]  # fmt: skip
    kiosk = msgspec.structs.replace(plain.kiosk[0], more=(("tyz", "Lùm bấu?"),))
    asked = make_questionnaire(msgspec.structs.replace(plain, kiosk=(kiosk, *plain.kiosk[1:])), "kiosk")
    assert "Lùm bấu?" in [in_language(question.text, "tyz") for question in asked.questions], "on the tablet too"
    assert parse_instrument(write_instrument(plain)) == plain, "nothing else changes"
    for wrong in ('more = [["Tày", "x"]]', 'more = [["tyz", ""]]', 'more = "tyz"'):
        with pytest.raises(ConfigError):
            parse_instrument(content.replace('more = [["tyz", "Cần bộ tẻo lùm?"]]'.encode(), wrong.encode()))


def test_a_file_that_is_too_large_is_not_even_checked_for_its_signature() -> None:
    key = Ed25519PrivateKey.generate().public_key()
    with pytest.raises(WireError, match="too large"):
        open_signed(SignedFile("x.toml", b"x" * (MAX_BYTES + 1), bytes(64)), key)


@given(st.binary(max_size=3_000) | st.text("[]{}.=\"'#\n ax1_-", max_size=3_000).map(str.encode))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_an_instrument_or_a_config_error(content: bytes) -> None:
    with contextlib.suppress(ConfigError):
        parse_instrument(content)
