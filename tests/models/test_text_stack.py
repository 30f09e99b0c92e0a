"""Two readers of a sentence: the head as trained and as written, what it is not asked, and own sentences with the real
encoder where it was fetched."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models import catalogue
from models.runtime import OnnxNetwork
from models.text_sentiment import TextSentimentNetwork
from models.text_stack import LEAST, WIDTH, StackedSentiment, features, has_marks, load_stack
from models.training.text import Sentence
from models.training.text_network import OTHERS, STUDENTS
from models.training.text_regions import CENTRE, SOUTH, regional
from models.training.text_stack import export, fit
from models.training.text_turns import turned
from pipeline.errors import ModelError

SENTENCES = Path(__file__).parent / "data" / "region_sentences.csv"


def made(count: int) -> tuple[NDArray[np.float32], list[Sentence]]:
    """Features whose first three numbers tell the class and whose fourth the speaker; two thirds students."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, count)
    domains = np.where(rng.random(count) < 2 / 3, STUDENTS, OTHERS)
    rows = rng.normal(0.0, 0.02, (count, WIDTH + 3)).astype(np.float32)
    rows[np.arange(count), labels] += 0.1
    rows[:, 3] += 0.1 * domains
    return rows, [Sentence(["a"], int(label), 1.0, int(domain)) for label, domain in zip(labels, domains, strict=True)]


def test_the_head_is_written_as_it_was_fitted(tmp_path: Path) -> None:
    rows, sentences = made(400)
    head = fit(rows, sentences)
    export(head, tmp_path / "stack.onnx")
    network = OnnxNetwork(tmp_path / "stack.onnx")
    found = np.stack([network.run(features=row)[0] for row in rows[:20]])
    np.testing.assert_allclose(found, head.probabilities(rows[:20]), atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-5)
    labels = np.array([one.label for one in sentences])
    assert (head.probabilities(rows).argmax(axis=1) == labels).mean() > 0.9


def test_one_kind_of_speakers_is_enough() -> None:
    rows, sentences = made(200)
    students = [row for row, one in enumerate(sentences) if one.domain == STUDENTS]
    head = fit(rows[students], [sentences[row] for row in students])
    assert np.isfinite(head.probabilities(rows)).all()


def test_a_sure_bag_does_not_outweigh() -> None:
    surest = features(np.zeros(WIDTH, np.float32), np.array([1.0, 0.0, 0.0], np.float32))
    assert surest.shape == (WIDTH + 3,)
    assert surest[WIDTH:].tolist() == pytest.approx([0.0, -1.0, -1.0])
    assert features(np.zeros(WIDTH, np.float32), np.array([1.0, LEAST / 9, 0.0], np.float32)).min() >= -1.0


@pytest.mark.parametrize(
    ("text", "marked"), [("làm nhanh", True), ("lam nhanh qua", False), ("đi", True), ("", False), ("ok 15", False)]
)
def test_marks(text: str, marked: bool) -> None:
    assert has_marks(text) is marked


def test_turns_mean_what_they_are_made_to_mean() -> None:
    rows = turned(400, 3)
    assert rows == turned(400, 3)
    assert {label for _, label in rows} == {0, 2}
    assert all(label == 2 for text, label in rows if text.startswith("thế là"))


def test_regional_words_change_small_words_only() -> None:
    import random

    words = ["tôi", "không", "biết", "nộp", "ở", "đâu", "vậy"]
    found = [" ".join(regional(words, random.Random(seed))) for seed in range(20)]
    assert any("mô" in text for text in found)
    assert any("hông" in text or "hổng" in text for text in found)
    assert all("nộp" in text for text in found)
    assert all(forms for table in (CENTRE, SOUTH) for forms in table.values())
    assert regional([], random.Random(0)) == []


@pytest.fixture(scope="module")
def real() -> StackedSentiment:
    bag = TextSentimentNetwork(catalogue.model_files("text-sentiment")["text_sentiment.onnx"])
    try:
        return load_stack(bag)
    except ModelError:
        pytest.skip("the encoder was not fetched: hailong models fetch --asr")


def test_nothing_said_is_neutral(real: StackedSentiment) -> None:
    assert real.probabilities("...").tolist() == [0.0, 1.0, 0.0]


def test_own_sentences_of_three_regions(real: StackedSentiment) -> None:
    """Half of them: the encoder takes some 20 ms a sentence."""
    with SENTENCES.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))[::2]
    said = [("negative", "neutral", "positive")[int(real.probabilities(row["text"]).argmax())] for row in rows]
    right = [one == row["label"] for one, row in zip(said, rows, strict=True)]
    opposite = [{one, row["label"]} == {"negative", "positive"} for one, row in zip(said, rows, strict=True)]
    assert np.mean(right) > 0.8
    assert np.mean(opposite) < 0.1
