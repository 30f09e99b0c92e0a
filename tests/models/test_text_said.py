"""Writers' sentences: shares, forms, no two alike, and what is held out stays out of the training."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from models.text_normalise import strip_marks, syllables
from models.training import text_said
from models.training.text_said import HELD_OUT, MORE, PLAIN, WRITERS, said, writers_with

PAIRS, MODERATOR = "tenth", "eleventh"
"""They wrote fewer neutral sentences."""
FOLDER = Path(text_said.__file__).parent
DATA = Path(__file__).parent / "data"


def bare(text: str) -> tuple[str, ...]:
    """A sentence as it is without marks, signs and capitals."""
    return tuple(strip_marks(word) for word in syllables(text))


@pytest.mark.parametrize("writer", writers_with(more=True))
def test_classes_and_forms_are_as_told(writer: str) -> None:
    with (FOLDER / (WRITERS | MORE)[writer]).open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) >= (300 if writer in PLAIN else 1_399)
    labels, forms = Counter(row["label"] for row in rows), Counter(row["form"] for row in rows)
    assert set(labels) == ({"neutral"} if writer in PLAIN else {"negative", "neutral", "positive"})
    if writer not in (PAIRS, MODERATOR, *PLAIN):
        assert max(labels.values()) < 1.2 * min(labels.values())
    assert set(forms) == {"written", "bare", "heard"}
    assert 0.3 < 1 - forms["written"] / len(rows) < 0.66
    for row in rows:
        if row["form"] == "bare":
            assert strip_marks(row["text"]) == row["text"], row
        if row["form"] != "written":
            assert row["text"] == row["text"].lower(), row
    assert writer != "second" or {row["situation"] for row in rows} > HELD_OUT


def test_classes_are_even_over_all_writers() -> None:
    for held_out in (False, True):
        labels = Counter(label for _, label in said(held_out, writers_with(more=True)))
        assert max(labels.values()) < (1.3 if held_out else 1.2) * min(labels.values())


def test_no_two_are_alike() -> None:
    """Nor does anything come back that is held out, whatever its marks and signs."""
    texts = [bare(text) for held_out in (False, True) for text, _ in said(held_out, writers_with(more=True))]
    assert [text for text, count in Counter(texts).items() if count > 1] == []


@pytest.mark.parametrize("writer", writers_with(more=True))
def test_some_situations_are_held_out_with_all_classes(writer: str) -> None:
    kept, held = said(False, (writer,)), said(True, (writer,))
    assert 0.1 < len(held) / (len(kept) + len(held)) < (0.3 if writer in PLAIN else 0.25)
    shares = Counter(label for _, label in held)
    if writer not in (PAIRS, *PLAIN):
        assert min(shares[label] for label in range(3)) > len(held) / 4


@pytest.mark.parametrize("name", ["counter", "service", "fresh", "region", "clerk", "third", "sixth", "twelfth"])
def test_nothing_that_is_reported_on_is_among_them(name: str) -> None:
    with (DATA / f"{name}_sentences.csv").open(encoding="utf-8", newline="") as lines:
        reported = {bare(row["text"]) for row in csv.DictReader(lines)}
    assert not reported & {
        bare(text) for held_out in (False, True) for text, _ in said(held_out, writers_with(more=True))
    }
