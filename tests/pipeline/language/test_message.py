"""A message is its English, and says itself in every language."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from pipeline.language import (
    Day,
    Joined,
    Message,
    Month,
    Number,
    Plural,
    Text,
    in_language,
    language,
    languages,
    of_environment,
    reason_of,
    translator,
)
from pipeline.language.catalogues import FOLDERS, forget

MISSING = "the day is missing"
HEAD = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8"\n\n'


@pytest.fixture
def khmer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A third language: one file, with one sentence."""
    path = tmp_path / "km.po"
    path.write_text(
        f'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8"\n\nmsgid "{MISSING}"\nmsgstr "ខ្វះថ្ងៃ"\n', "utf-8"
    )
    monkeypatch.setattr("pipeline.language.catalogues.FOLDERS", [*FOLDERS, tmp_path])
    forget()
    yield "km"
    monkeypatch.undo()
    forget()


def test_a_message_is_its_english_and_says_its_vietnamese() -> None:
    message = Message(MISSING)
    assert (message, in_language(message, "en"), in_language(message, "vi")) == (MISSING, MISSING, "thiếu ngày")
    assert in_language("plain", "vi") == "plain"
    assert reason_of(ValueError(message)) is message
    assert reason_of(ValueError("plain")) == "plain"


def test_parameters_are_said_in_the_sentences_language() -> None:
    unknown = Message("unknown {what}: '{text}'", what=Message("agency"), text="{what}")
    assert unknown == "unknown agency: '{what}'"
    assert in_language(unknown, "vi") == "không có cơ quan “{what}”"
    assert Message("{a} and {b}", a=1) == "1 and {b}"
    assert unknown.with_params(text="x") == "unknown agency: 'x'"


def test_texts_survive_copies() -> None:
    made = (Message("{count} rows", count=Number(1234.5, 1)), Joined(("A1", Message(MISSING)), ": "))
    for text in (*made, Plural("{count} row", "{count} rows", 2)):
        for again in (copy.deepcopy(text), pickle.loads(pickle.dumps(text))):
            assert (again, in_language(again, "vi")) == (text, in_language(text, "vi"))


def test_a_plural_takes_its_form() -> None:
    assert [str(Plural("{count} row", "{count} rows", number)) for number in (1, 2)] == ["1 row", "2 rows"]
    many = Plural("{count} row", "{count} rows", 1191)
    assert (
        str(many),
        in_language(
            Plural("{count} petition disliked or repeated", "{count} petitions disliked or repeated", 1191), "vi"
        )[:5],
    ) == ("1,191 rows", "1.191")


@pytest.mark.parametrize(
    ("value", "digits", "vi", "en"),
    [
        (1234567.891, 2, "1.234.567,89", "1,234,567.89"),
        (1234, 0, "1.234", "1,234"),
        (-0.01, 1, "0,0", "0.0"),
        (-1234.5, 1, "−1.234,5", "−1,234.5"),
        (0.125, 2, "0,12", "0.12"),
        (None, 1, "–", "–"),
    ],
)
def test_numbers(value: float | None, digits: int, vi: str, en: str) -> None:
    number = Number(value, digits)
    assert (in_language(number, "vi"), str(number)) == (vi, en)


def test_days_and_months() -> None:
    assert [in_language(Day(date(2026, 7, 1)), lang) for lang in ("vi", "en")] == ["01/07/2026", "01/07/2026"]
    assert [in_language(Month(7), lang) for lang in ("vi", "en")] == ["Tháng 7", "Jul"]


def test_a_name_takes_the_vietnamese_where_there_is_no_other() -> None:
    name = Text.of_row({"id": 1, "name_vi": "Sở Nội vụ", "name_en": "", "name_km": "នាយកដ្ឋាន"})
    assert [in_language(name, lang) for lang in ("vi", "en", "km")] == ["Sở Nội vụ", "Sở Nội vụ", "នាយកដ្ឋាន"]


def test_names_that_read_the_same_are_the_same() -> None:
    name = Text.named(en="Home Affairs", vi="Sở Nội vụ", tyz="Cốc nả")
    assert name == Text.named(tyz="Cốc nả", vi="Sở Nội vụ", en="Home Affairs")
    assert Text.named(vi="Sở Nội vụ", en="Sở Nội vụ", km="") == Text.named(vi="Sở Nội vụ")
    assert name.columns() == {"name_vi": "Sở Nội vụ", "name_en": "Home Affairs", "name_tyz": "Cốc nả"}
    assert Text.of_row(name.columns()) == name
    assert Text.named(vi="Sở").columns("of_") == {"of_vi": "Sở", "of_en": "Sở"}, "files have both columns always"
    assert not Text.named(vi="")


def test_one_file_is_a_language(khmer: str) -> None:
    assert languages() == ("vi", "en", khmer)
    assert language(khmer).name == "ខ្មែរ"
    _ = translator(khmer)
    assert _(MISSING) == "ខ្វះថ្ងៃ"
    assert _("agency") == "cơ quan", "what it lacks is said in Vietnamese"
    assert _(Number(1234.5, 1)) == "1,234.5"


def test_a_language_that_babel_does_not_know_says_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tyz.po").write_text(
        '# X-Language-Name: Tày\nmsgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8"\n', "utf-8"
    )
    monkeypatch.setattr("pipeline.language.catalogues.FOLDERS", [*FOLDERS, tmp_path])
    forget()
    try:
        assert language("tyz").name == "Tày"
        assert in_language(Number(1234), "tyz") == "1.234"
    finally:
        forget()


@pytest.mark.parametrize(
    ("environment", "lang"),
    [
        ({"LANG": "vi_VN.UTF-8"}, "vi"),
        ({"LANG": "vi_VN.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LANG": "C", "LANGUAGE": "fr:vi"}, "vi"),
        ({"LANG": "fr_FR"}, "en"),
        ({}, "en"),
    ],
)
def test_a_command_line_speaks_the_language_of_its_environment(environment: dict[str, str], lang: str) -> None:
    assert of_environment(environment) == lang


def test_an_error_says_itself_with_what_to_do() -> None:
    error = ConfigError(Message(MISSING), Message("Correct them."))
    assert (str(error), in_language(error, "vi")) == (
        "the day is missing Correct them.",
        "thiếu ngày Hãy sửa các dòng này.",
    )


def test_a_language_that_there_is_not_is_the_default() -> None:
    assert language("xx").code == "vi"
