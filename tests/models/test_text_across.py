"""Sources left out, and the command that moves a network: both whole, on corpora of a few made rows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hailong.cli import main
from models import catalogue
from models.text_normalise import syllables
from models.text_sentiment import TextSentimentNetwork
from models.training import text_across, text_move
from models.training.text_said import said

RATED = (("negative", "thầy dạy chán"), ("neutral", "lớp học buổi sáng"), ("positive", "thầy dạy hay"))


def corpus(path: Path, split: str, count: int) -> None:
    rows = [
        {"text": f"{text} tiết {number}", "label": label, "split": split}
        for number in range(count)
        for label, text in RATED
    ]
    if split == "train":
        rows += [{**row, "split": "dev"} for row in rows[:30]]
    pq.write_table(pa.Table.from_pylist(rows), path)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    (folder / "text").mkdir()
    corpus(folder / "text" / "uit_vsfc.parquet", "train", 20)
    corpus(folder / "text" / "vlsp2016_sa.parquet", "train", 180)
    words = [("tốt", 0.8, 0.0), ("xấu", 0.0, 0.8)]
    pq.write_table(
        pa.Table.from_pylist(
            [{"text": word, "positive_score": good, "negative_score": bad} for word, good, bad in words]
        ),
        folder / "text" / "vietsentiwordnet.parquet",
    )
    return folder


def test_each_writer_is_left_out_of_what_is_judged(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(text_across, "TEMPLATES", 60)
    monkeypatch.setattr(text_across, "TURNS", 20)
    counter = tmp_path / "counter.csv"
    counter.write_text("text,label\nchờ lâu quá,negative\ncảm ơn em,positive\nmấy giờ mở cửa,neutral\n", "utf-8")
    seen: list[set[str]] = []

    def trained(rows: list[text_across.Sentence], seed: int) -> object:
        seen.append({" ".join(one.words) for one in rows})
        return real(rows, seed)

    real = text_across._trained
    monkeypatch.setattr(text_across, "_trained", trained)
    options = ["--across", "--data", str(data), "--cache", str(tmp_path), "--counter", str(counter), "--json"]
    assert main(["models", "eval", "text", *options]) == 0
    made = json.loads(capsys.readouterr().out)
    assert {name: each["test"] for name, each in made["sources"].items()} == {
        "vsfc": 30,
        "vlsp": 500,
        "own": 3,
        "second": 2526,
    }
    assert made["sources"]["second"]["train"] == len(said(held_out=False))
    choices = made["prior"]["choices"]
    assert set(choices) == {
        f"{recipe}, {after}" for recipe in ("bag", "moved") for after in ("as trained", "shares taken out")
    }
    bag, moved = (choices[f"{recipe}, as trained"]["left_out"] for recipe in ("bag", "moved"))
    assert bag["second"] == moved["second"]  # whoever is left out moves nothing
    assert bag["own"] != moved["own"]
    second = {" ".join(syllables(text)) for held in (False, True) for text, _ in said(held)}
    assert all(not second & rows for rows in seen)  # a bag is never trained on what it is moved towards
    assert "tốt" not in seen[2]  # without the first writer, no lexicon and no phrase either
    assert "tốt" in seen[3]


def test_the_command_moves_a_network_and_writes_it(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["text_move", "--data", str(data), "--out", str(tmp_path)])
    text_move.main()
    report = json.loads((tmp_path / "text_move.json").read_text("utf-8"))
    assert json.loads(capsys.readouterr().out) == report
    assert set(report) == {"vlsp_held", "vsfc_dev", "said_held"}
    shipped = TextSentimentNetwork(catalogue.model_files("text-sentiment")["text_sentiment.onnx"])
    moved = TextSentimentNetwork(tmp_path / "text_sentiment.onnx")
    rows = said(held_out=False)[:200]
    right = [
        np.mean([int(one.probabilities(text).argmax()) == label for text, label in rows]) for one in (shipped, moved)
    ]
    assert right[1] >= right[0]
    assert report["said_held"]["before"] != report["said_held"]["after"]
