"""Which readings of a face a visit is made of: those held, and those of the mirror image. Real networks and faces."""

from __future__ import annotations

import numpy as np
import pytest

from edge.perception.networks import NetworkOptions, Networks, load_networks
from pipeline.records import FaceAffect, Frame
from tests.edge.clips import scene
from tests.edge.perception.test_engine import BY_QUEUE, HAPPY, Counter, reads


@pytest.fixture(scope="module")
def networks() -> Networks:
    return load_networks(NetworkOptions(demo=True))


def test_what_was_read_holds_while_the_face_stays_as_it_was(
    networks: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = Counter(networks, BY_QUEUE)
    counter.engine.visit_started(0, 0.0)
    counter.show(1, HAPPY)
    read, seen_s = reads(networks, monkeypatch), counter.engine.glimpse().face_seconds
    for number in range(30):
        counter.engine.feed_frame(Frame(scene(HAPPY), 1 + number / 15))
    counter.time_s = 3.0
    assert 4 <= read[0] <= 7, "every .4 s"
    assert counter.engine.glimpse().face_seconds - seen_s == pytest.approx(2, abs=0.3), "what is held counts as seen"
    read[0], (name, side, x, y) = 0, HAPPY
    for number in range(10):
        counter.show(0.2, (name, side, x + 8 * (number % 2), y))
    assert read[0] >= 10, "a face that moves is read at once"
    counter.engine.opt_out()
    assert counter.engine._last_read is None


def test_every_other_reading_of_a_visit_is_of_the_mirror_image_and_the_first_never(
    networks: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were it every other reading of the counter, the length of one visit would move the next one's level."""
    crops: list[np.ndarray[tuple[int, ...], np.dtype[np.float64]]] = []
    infer = networks.eyes.face.infer

    def keep(faces: list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]) -> list[FaceAffect]:
        crops.extend(face.astype(np.float64) for face in faces if face.any())  # what wipes the memory is black
        return infer(faces)

    monkeypatch.setattr(networks.eyes.face, "infer", keep)
    (name, side, x, y), straight = HAPPY, []
    counter = Counter(networks, BY_QUEUE)
    for seconds in (1.2, 1.4, 1.6, 1.8):  # odd and even counts of readings
        counter.engine.visit_started(0, counter.time_s)
        for number in range(round(5 * seconds)):
            counter.show(0.2, (name, side, x + 8 * (number % 2), y))
        counter.engine.visit_ended(counter.time_s)
        counter.show(3)
        assert len(crops) >= 4
        for number, crop in enumerate(crops):
            alike, turned = (np.corrcoef(one.ravel(), crops[0].ravel())[0, 1] for one in (crop, crop[:, ::-1]))
            assert (alike > turned) == (number % 2 == 0)
        straight.append(crops[0])
        crops.clear()
    for first in straight:
        assert np.corrcoef(first.ravel(), straight[0].ravel())[0, 1] > 0.9
