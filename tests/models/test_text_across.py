"""Sources left out in turn: the whole command, on corpora of a few made rows."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hailong.cli import main
from models.text_normalise import syllables
from models.training import text_across
from models.training.text import Sentence
from models.training.text_said import WRITERS, said
from models.training.text_templates import Row

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

    def few(held_out: bool, writers: tuple[str, ...]) -> list[Row]:
        return said(held_out, writers)[:150]

    monkeypatch.setattr(text_across, "said", few)
    counter = tmp_path / "counter.csv"
    counter.write_text("text,label\nchờ lâu quá,negative\ncảm ơn em,positive\nmấy giờ mở cửa,neutral\n", "utf-8")
    seen: list[set[str]] = []

    def trained(rows: list[Sentence], seed: int) -> object:
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
        **{name: len(few(True, (name,))) + len(few(False, (name,))) for name in WRITERS},
    }
    choices = made["prior"]["choices"]
    assert set(choices) == {
        f"{recipe}, {after}"
        for recipe in ("bag", "all writers")
        for after in ("as trained", "leaning", "shares taken out")
    }
    bag, wider = (choices[f"{recipe}, as trained"]["left_out"] for recipe in ("bag", "all writers"))
    assert bag["own"] != wider["own"]
    assert choices["bag, leaning"]["left_out"]["own"] != bag["own"]
    taught = [
        {name for name in WRITERS if len({" ".join(syllables(text)) for text, _ in few(False, (name,))} & rows) > 100}
        for rows in seen
    ]
    everybody = set(WRITERS)
    of_corpora = [set(), everybody] * 3
    assert taught == of_corpora + [set()] + [everybody - {name} for name in WRITERS]
    held = {" ".join(syllables(text)) for name in WRITERS for text, _ in few(True, (name,))}
    assert not any(held & rows for rows in seen)
    lexicon = ["tốt" in rows for rows in seen]
    assert lexicon == [True] * 4 + [False] * 2 + [True] * (
        1 + len(WRITERS)
    )  # without the first writer, no lexicon either
