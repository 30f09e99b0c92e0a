"""Sentiment with the shipped weights: normalisation, hashing, own sentences never trained on, the evaluation
command."""

from __future__ import annotations

import csv
import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hailong.cli import main
from models import catalogue
from models.evaluate_text import COLUMNS
from models.text_features import BUCKETS, pieces_of
from models.text_normalise import TEENCODE, strip_marks, syllables
from models.text_sentiment import CLASSES, TextSentimentNetwork
from models.training.augment_text import damage, lose_marks, mishear
from models.training.text_network import OTHERS, STUDENTS, export
from models.training.text_said import said
from models.training.text_solver import joined, rarity, train
from models.training.text_templates import TemplateWriter

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="module")
def network() -> TextSentimentNetwork:
    return TextSentimentNetwork(catalogue.model_files("text-sentiment")["text_sentiment.onnx"])


def sentences(name: str) -> list[tuple[str, str]]:
    with (DATA / f"{name}_sentences.csv").open(encoding="utf-8", newline="") as file:
        return [(row["text"], row["label"]) for row in csv.DictReader(file)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Không hài lòng!!!", ["không", "hài", "lòng"]),
        ("k hài lòng, vs tui thì ntn?", ["không", "hài", "lòng", "với", "tui", "thì", "như", "thế", "nào"]),
        ("đẹppppp quáaaa", ["đẹp", "quá"]),
        ("phí 50k, gọi 0912345678", ["phí", "0", "gọi", "0"]),
        ("cảm ơn em :)) <3", ["cảm", "ơn", "em", "<smile>", "<smile>"]),
        ("chán :(", ["chán", "<frown>"]),
        ("thầy dạy hay colonsmile .", ["thầy", "dạy", "hay", "<smile>"]),
        ("ho\u0300a nha\u0303", ["hòa", "nhã"]),
        ("", []),
        ("?!... 。", []),
        ("xin " * 300, ["xin"] * 96),
    ],
)
def test_syllables(text: str, expected: list[str]) -> None:
    assert syllables(text) == expected


def test_teencode_does_not_chain() -> None:
    """What a shortened form stands for is not itself rewritten."""
    for word, full in TEENCODE.items():
        assert all(TEENCODE.get(part, part) == part for part in full.split()), word


@pytest.mark.parametrize(("word", "bare"), [("được", "duoc"), ("Đường", "Duong"), ("nghĩa", "nghia"), ("ok", "ok")])
def test_marks_are_stripped(word: str, bare: str) -> None:
    assert strip_marks(word) == bare


def test_pieces_are_stable_and_bounded() -> None:
    pieces = pieces_of("không hài lòng chút nào")
    assert pieces.dtype == np.int64
    assert len(np.unique(pieces)) == len(pieces)
    assert 0 <= pieces.min() <= pieces.max() < BUCKETS
    assert list(pieces) == list(pieces_of("KHÔNG  hài lòng, chút nào."))
    assert len(pieces_of("...")) == 0


def test_negation_changes_the_pieces_of_what_follows() -> None:
    plain, negated = set(pieces_of("nhân viên nhiệt tình")), set(pieces_of("nhân viên không nhiệt tình"))
    assert negated - plain
    assert len(negated & plain) < len(plain)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cần những giấy tờ gì ạ", "neutral"),
        ("làm hộ chiếu mất bao nhiêu tiền", "neutral"),
        ("không hài lòng chút nào", "negative"),
        ("khong hai long chut nao", "negative"),
        ("k hài lòng tí nào", "negative"),
        ("chờ lâu quá", "negative"),
        ("rất hài lòng", "positive"),
        ("cảm ơn em nhiều", "positive"),
        ("cam on em nhieu", "positive"),
        ("phòng sạch nhân viên thân thiện", "positive"),
        ("không tệ", "positive"),
        ("dịch vụ không tệ chút nào", "positive"),
        ("không thể tệ hơn", "negative"),
    ],
)
def test_plain_cases(text: str, expected: str, network: TextSentimentNetwork) -> None:
    affect = network.infer(text)
    assert CLASSES[int(np.argmax(affect.ratios.posterior()))] == expected
    assert sum(affect.ratios.posterior()) == pytest.approx(1.0, abs=1e-5)
    assert 0.0 <= affect.uncertainty <= 1.0


@pytest.mark.parametrize(
    "text",
    [
        "Anh chỉ muốn được nhìn nhận như là một huấn luyện viên.",
        "Chúng ta có thể áp dụng logic tương tự với người khác.",
        "Bạn cầm khúc cây, và ném vào bãi cỏ xanh tươi rậm rạp ở đằng xa.",
        "Đến cuối thế kỷ 19, ngành đánh bắt cá được thương mại hóa.",
    ],
)
def test_talk_of_other_things_leans_nowhere(text: str, network: TextSentimentNetwork) -> None:
    assert abs(network.infer(text).valence) < 0.4


def test_students_have_a_map_of_their_own(network: TextSentimentNetwork) -> None:
    """A bare statement is a complaint in a course's questionnaire and nothing of the kind at a counter."""
    student = network.infer("giảng viên chưa cho bài tập về nhà")
    citizen = network.infer("tôi chưa nộp giấy tờ ở phường")
    assert student.ratios.posterior()[1] < 0.3 < 0.6 < citizen.ratios.posterior()[1]


def test_exported_network_equals_the_trained(tmp_path: Path) -> None:
    """The ONNX graph computes what the solver trained, within half precision; pieces never seen do no harm."""
    sentences_of = [pieces_of(text) for text in ("cảm ơn em", "chờ lâu quá", "mấy giờ mở cửa", "thầy dạy hay")]
    copy = joined(sentences_of * 2, [OTHERS, OTHERS, OTHERS, STUDENTS] * 2)
    labels = np.array([2, 0, 1, 2] * 2)
    weights = np.ones(8, dtype=np.float32)
    trained = train([copy], labels, weights, rarity(copy), np.arange(8), epochs=30, decay=1e-5, seed=0)
    trained = replace(trained, temperatures=(0.8, 1.3))
    assert list(trained.probabilities(sentences_of).argmax(axis=1)) == [2, 0, 1, 2]
    export(trained, tmp_path / "text.onnx")
    network = TextSentimentNetwork(tmp_path / "text.onnx")
    for text in ("cảm ơn em", "chờ lâu quá", "thầy dạy hay quá", "xyz"):
        expected = trained.probabilities([pieces_of(text)])[0]
        np.testing.assert_allclose(network.probabilities(text), expected, atol=2e-3)


@pytest.mark.parametrize(
    ("name", "least_share"),
    [
        ("counter", 0.9),
        ("service", 0.86),
        ("fresh", 0.87),
        ("region", 0.89),
        ("clerk", 0.95),
        ("third", 0.87),
        ("sixth", 0.86),
    ],
)
def test_own_sentences(name: str, least_share: float, network: TextSentimentNetwork) -> None:
    rows = sentences(name)
    assert len(rows) >= 50
    right = sum(CLASSES[int(np.argmax(network.infer(text).ratios.posterior()))] == label for text, label in rows)
    assert right / len(rows) >= least_share


def test_plain_talk_is_seldom_called_negative(network: TextSentimentNetwork) -> None:
    """Papers, numbers, names and waiting told without judgement, some with loss, fines or death in them."""
    found = [int(np.argmax(network.infer(text).ratios.posterior())) for text, _ in sentences("clerk")]
    assert np.mean([CLASSES[one] == "negative" for one in found]) < 0.04


def test_situations_never_trained_on(network: TextSentimentNetwork) -> None:
    """A second writer's, of which version 0.3.0, without that writer, had .59, and 0.4.0, moved towards them, .67."""
    rows = said(held_out=True)
    right = sum(int(np.argmax(network.infer(text).ratios.posterior())) == label for text, label in rows)
    assert right / len(rows) > 0.69


def test_the_opposite_sign_of_a_writer_never_trained_on(network: TextSentimentNetwork) -> None:
    """The third writer's sided sentences: .21 with version 0.4.0. Where the network is surer than .6: .03 of .50."""
    sided = [(CLASSES.index(label), network.probabilities(text)) for text, label in sentences("third")]
    sided = [(label, found) for label, found in sided if label != 1]
    opposite = [int(found.argmax()) == 2 - label for label, found in sided]
    sure = [found.max() >= 0.6 for _, found in sided]
    assert np.mean(opposite) < 0.2
    assert np.mean(sure) > 0.45
    assert np.mean([one for one, kept in zip(opposite, sure, strict=True) if kept]) < 0.06


def test_own_sentences_are_kept_out_of_the_templates() -> None:
    made = [text for text, _ in TemplateWriter(0).write(200)]
    held_out = [
        text for name in ("counter", "service", "fresh", "third", "sixth") for text, _ in sentences(name)
    ] + made[:50]
    never = {tuple(syllables(text)) for text in held_out}
    assert not never & {tuple(syllables(text)) for text, _ in TemplateWriter(0, held_out).write(14_000)}


def test_nothing_said_is_neutral(network: TextSentimentNetwork) -> None:
    assert network.infer("...").ratios.posterior() == pytest.approx((0.0, 1.0, 0.0), abs=1e-8)


def test_templates_are_seeded_and_of_three_classes() -> None:
    rows = TemplateWriter(3).write(600)
    assert rows == TemplateWriter(3).write(600)
    assert rows != TemplateWriter(4).write(600)
    shares = np.bincount([label for _, label in rows], minlength=3) / len(rows)
    assert shares.min() > 0.2


def test_damage_keeps_negations() -> None:
    rng = random.Random(0)
    for _ in range(200):
        damaged = damage(["tôi", "không", "hài", "lòng", "với", "dịch", "vụ"], rng)
        assert any(strip_marks(word)[:2] in ("kh", "ho") for word in damaged)
    assert lose_marks(["hài", "lòng"], 1.0, rng) == ["hai", "long"]
    assert mishear(["hài", "lòng"], 0.0, rng) == ["hài", "lòng"]


def test_evaluation_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    index, out = tmp_path / "index.csv", tmp_path / "out.csv"
    rows = [
        ("rất hài lòng", "positive"),
        ("chờ lâu quá", "negative"),
        ("", "neutral"),
        ("mấy giờ mở cửa", "neutral"),
        ("ừ", "?"),
    ]
    with index.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    assert (
        main(["models", "eval", "text", "--index", str(index), "--out", str(out), "--json", "--resamples", "50"]) == 0
    )
    summary = json.loads(capsys.readouterr().out)
    assert (summary["n"], summary["found"], summary["measured"]) == (5, 4, 3)
    assert summary["accuracy"]["value"] == 1.0
    assert set(summary["recall"]) == {"negative", "neutral", "positive"}
    assert summary["opposite_sign"]["value"] == summary["neutral_called_negative"]["value"] == 0.0
    with out.open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert tuple(table[0]) == COLUMNS
    assert [row["found"] for row in table] == ["1", "1", "0", "1", "1"]
    assert "hài lòng" not in out.read_text(encoding="utf-8")


def test_sentences_of_one_class_are_measured_as_far_as_they_go(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index, out = tmp_path / "index.csv", tmp_path / "out.csv"
    index.write_text("text,label\nmấy giờ mở cửa,neutral\n", encoding="utf-8")
    options = ["--index", str(index), "--out", str(out), "--readers", "bag", "--json", "--resamples", "20"]
    assert main(["models", "eval", "text", *options]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["network"] == "text-sentiment"
    assert "opposite_sign" not in summary
    assert summary["neutral_called_negative"]["value"] == 0.0


def test_wrong_columns_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    index = tmp_path / "index.csv"
    index.write_text("sentence\nxin chào\n", encoding="utf-8")
    assert main(["models", "eval", "text", "--index", str(index), "--out", str(tmp_path / "out.csv")]) != 0
    assert "text,label" in capsys.readouterr().err
