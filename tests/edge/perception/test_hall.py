"""Many counters on one box: they share networks and workers, and nothing of a citizen.

Two real people and two real voices at counters that take turns; what each counter counts is what it counts alone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.capture.slots import Slots
from edge.config import EdgeConfig, load_config
from edge.counters import CameraSection, CounterSection
from edge.delivery.health import Health
from edge.perception.analysis import Analysis, engine_settings, read_faces, workers_for
from edge.perception.engine import Engine, FaceToRead
from edge.perception.networks import NetworkOptions, Networks, load_networks
from edge.perception.settings import EngineSettings
from edge.perception.turns import Due, Turns
from edge.perception.watched import Watched
from pipeline.fusion import FusionParameters
from pipeline.records import ClosedVisit, Frame, Level, Outcome
from pipeline.visit import PresenceParameters
from pipeline.wire import BoxState
from tests.edge.clips import chunks, frames, scene, silence, voice, write_film
from tests.edge.test_config import write
from tests.edge.test_counters import HALL

HAPPY = ("astronaut", 150, 60, 100)
STERN = ("biden", 150, 60, 100)
SETTINGS = EngineSettings(
    presence=PresenceParameters(start_after_s=0.5, end_after_s=1.5, away_after_s=1.0),
    fusion=FusionParameters(minimum_visit_s=2.0, minimum_evidence_s=1.0),
)


@pytest.fixture(scope="module")
def networks() -> Networks:
    return load_networks(NetworkOptions(demo=True))


@dataclass
class Hall:
    """Counters whose pictures are looked at in turns, and whose faces are read together."""

    networks: Networks
    settings: EngineSettings = SETTINGS
    count: int = 2
    visits: list[list[ClosedVisit]] = field(default_factory=list)
    watched: list[Watched] = field(default_factory=list)
    time_s: float = 0.0

    def __post_init__(self) -> None:
        for number in range(self.count):
            counted: list[ClosedVisit] = []
            engine = Engine(self.settings, self.networks.for_counter(), counted.append)
            self.visits.append(counted)
            section = CounterSection(name=str(number), camera=CameraSection(source="none"))
            self.watched.append(Watched(section, engine, Health(), alone=False, tell_at_once=True))

    def show(self, seconds: float, *pictures: Any) -> Hall:
        """One picture at each counter for so long."""
        for shown in zip(*(frames(picture, seconds, self.time_s) for picture in pictures), strict=True):
            asked = [(each, each.engine.look(frame)) for each, frame in zip(self.watched, shown, strict=True)]
            read_faces([(each, face) for each, face in asked if face is not None], self.networks.eyes)
        self.time_s += seconds
        return self

    def hear(self, *sounds: np.ndarray[tuple[int], np.dtype[np.float32]]) -> Hall:
        """A sound at each counter, chunk by chunk in turns."""
        for heard in zip(*(chunks(sound, self.time_s) for sound in sounds), strict=False):
            for each, chunk in zip(self.watched, heard, strict=True):
                each.engine.feed_chunk(chunk)
        return self


def test_a_film_whose_last_picture_is_not_due_is_over(
    networks: Networks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = tmp_path / "film.avi"
    write_film(film, [scene()] * 3)
    engine = Engine(SETTINGS, networks.for_counter(), lambda _visit: None)
    section = CounterSection(name="1", camera=CameraSection(source=str(film)))
    watched = Watched(section, engine, Health(), alone=True, tell_at_once=True)
    watched.deliver_to(lambda: None, lambda: None)
    assert watched.camera is not None
    watched.start()
    wait_for(lambda: watched.camera is not None and not watched.camera.is_open)
    assert watched.camera.waiting is not None
    assert not watched.camera.finished
    monkeypatch.setattr(Engine, "due_s", float("inf"))
    assert watched.frame_due() is None
    assert watched.camera.finished
    watched.close()


def test_two_people_at_two_counters_are_read_together_and_counted_apart(networks: Networks) -> None:
    """Faces of both in one batch: each counter counts what it counts when it is alone, and their tracks have the same
    numbers."""
    alone = [
        Hall(networks, count=1).show(1, scene()).show(4, scene(one)).show(3, scene()).visits[0]
        for one in (HAPPY, STERN)
    ]
    batches: list[int] = []
    infer = networks.eyes.face.infer

    def count(crops: list[Any]) -> Any:
        batches.append(len(crops))
        return infer(crops)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networks.eyes.face, "infer", count)
        hall = Hall(networks).show(1, scene(), scene()).show(2, scene(HAPPY), scene(STERN))
        citizens = [each.engine.glimpse().citizen for each in hall.watched]
        hall.show(2, scene(HAPPY), scene(STERN)).show(3, scene(), scene())
    assert 2 in batches, "both faces were read at once"
    assert [None if each is None else each.track_id for each in citizens] == [1, 1], "names of tracks cross"
    assert [hall.visits[0], hall.visits[1]] == alone
    assert hall.visits[0][0].level > hall.visits[1][0].level


def test_what_the_neighbour_s_counter_shows_changes_nothing(networks: Networks) -> None:
    """A neighbour who comes, goes, moves, and is another one: the visit here is the same, to the last bit."""

    def level(*beside: Any) -> tuple[Any, list[ClosedVisit]]:
        hall = Hall(networks).show(1, scene(), scene())
        for picture in beside:
            hall.show(1.5, scene(HAPPY), picture)
        visit = hall.watched[0].engine._visits.visit
        assert visit is not None
        fused = visit.fuse()
        return fused, hall.show(3, scene(), scene()).visits[0]

    with_neighbour = level(scene(STERN), scene(), scene(("obama", 150, 300, 60)))
    assert with_neighbour == level(scene(), scene(), scene())


def test_two_voices_at_once_do_not_mix(networks: Networks) -> None:
    """Each counter has an ear of its own: fed in turns, chunk by chunk, it hears what it would hear alone."""
    settings = replace(SETTINGS, visits_by="queue")
    one, other = voice("voice_ly"), np.concatenate([silence(0.7), voice("voice_ly")[::-1]])
    size = min(len(one), len(other))

    def heard(*sounds: Any) -> list[Any]:
        hall = Hall(networks, settings, count=len(sounds))
        for each in hall.watched:
            each.engine.visit_started(0, 0.0)
        hall.hear(*sounds)
        found = []
        for each in hall.watched:
            each.engine.end_of_sound()
            visit = each.engine._visits.visit
            assert visit is not None
            found.append((visit.sums.speech.seconds, visit.fuse()))
        return found

    together = heard(one[:size], other[:size])
    assert together == [*heard(one[:size]), *heard(other[:size])]
    assert together[0][0] > 0


def test_an_opt_out_at_one_counter_touches_no_other(networks: Networks) -> None:
    """And a face that waited to be read when its citizen opted out is not read."""
    hall = Hall(networks).show(1, scene(), scene()).show(2, scene(HAPPY), scene(HAPPY))
    first, second = hall.watched
    hall.time_s += 0.2
    (frame,) = frames(scene(HAPPY), 0.1, hall.time_s)
    asked = [(each, each.engine.look(frame)) for each in hall.watched]
    waiting = [(each, face) for each, face in asked if face is not None]
    assert len(waiting) == 2
    first.engine.opt_out()
    read: list[int] = []
    infer = networks.eyes.face.infer

    def count(crops: list[Any]) -> Any:
        read.append(len(crops))
        return infer(crops)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networks.eyes.face, "infer", count)
        read_faces(waiting, networks.eyes)
    assert read == [1]
    assert first.engine.has_opted_out
    assert not second.engine.has_opted_out
    hall.time_s += 0.1
    hall.show(2, scene(HAPPY), scene(HAPPY)).show(3, scene(), scene())
    assert [visits[0].level for visits in hall.visits] == [Level.ABSTAINED, Level.VERY_HIGH]


def test_what_was_read_of_a_visit_that_is_over_is_not_the_next_one_s(networks: Networks) -> None:
    hall = Hall(networks, replace(SETTINGS, visits_by="queue"), count=1)
    (watched,) = hall.watched
    watched.engine.visit_started(0, 0.0)
    hall.show(1.0, scene(HAPPY))
    (frame,) = frames(scene(HAPPY), 0.1, 1.2)
    asked = watched.engine.look(frame)
    assert isinstance(asked, FaceToRead)
    watched.engine.visit_ended(1.3)
    watched.engine.visit_started(0, 30.0)
    (affect,) = networks.eyes.face.infer([asked.crop])
    watched.take_affect(asked, affect)
    assert watched.engine.tallies.dropped["affect_late"] == 1
    assert watched.engine._visits.visit is None or watched.engine._visits.visit.sums.face.seconds == 0


def test_under_consent_the_neighbour_s_yes_opens_nothing_here(networks: Networks) -> None:
    """The citizen at one counter agreed; at the other nobody touched anything: nothing is looked at there."""
    hall = Hall(networks, replace(SETTINGS, asks_consent=True))
    agreed, silent = hall.watched
    assert agreed.engine.agree(0.0)
    assert (agreed.engine.wants_sources, silent.engine.wants_sources) == (True, False)
    hall.show(4, scene(HAPPY), scene(STERN))
    assert silent.engine.tallies.forwarded == silent.engine.face_tallies.forwarded == 0
    assert silent.engine.tallies.dropped["no_visit"] == 40
    for each in hall.watched:
        each.engine.finish()
    assert hall.visits == [[ClosedVisit(Level.VERY_HIGH, Outcome.NOT_RATED)], []]


# -- turns


def test_the_longest_due_comes_first_and_each_waits_alike() -> None:
    """With time for half of what is due, everyone is looked at half as often, evenly: nobody starves."""
    due = dict.fromkeys(range(8), 0.0)
    looks = dict.fromkeys(due, 0)
    turns = Turns(list(due), lambda name: Due(due[name]), workers=2)
    for now in range(1, 401):
        for name in turns.take(1, 0.0):
            looks[name] += 1
            due[name] = float(now)
            turns.give_back([name])
    assert min(looks.values()) == max(looks.values()) == 50


def test_a_counter_is_in_one_hand_and_a_worker_takes_its_share() -> None:
    names = ["a", "b", "c", "d"]
    turns = Turns(names, lambda name: Due(0.0), workers=2)
    first, second = turns.take(4, 0.0), turns.take(4, 0.0)
    assert (first, second) == (["a", "b"], ["c"])
    turns.give_back(first)
    assert turns.take(1, 0.0) == ["a"]


def test_what_waits_for_its_pause_keeps_nobody_waiting() -> None:
    now = [0.0]
    turns = Turns(["broken", "well"], lambda name: Due(0.0, 5.0 if name == "broken" else 0.0), clock=lambda: now[0])
    assert turns.take(2, 0.0) == ["well"]
    now[0] = 5.0
    assert turns.take(2, 0.0) == ["broken"]


def test_how_many_look() -> None:
    assert [workers_for(cameras) for cameras in (0, 1, 8)] == [1, 1, 1]
    assert 1 <= workers_for(64) <= 4


def test_what_nobody_had_time_for_is_told_from_what_was_not_due() -> None:
    from pipeline.records import Tallies

    tallies, due_s = Tallies(), 0.5
    slots: Slots[float] = Slots(1, tallies)
    slots.why = lambda time_s: "late" if time_s >= due_s else "between"
    for time_s in (0.1, 0.3, 0.6, 0.9):
        slots.put(time_s)
    assert tallies.dropped == {"between": 2, "late": 1}
    assert slots.peek() == slots.get(0.0) == 0.9
    assert slots.peek() is None


# -- whole boxes' analysis, with cameras that a test plays


class Played:
    """Stands for a camera's driver: pictures by source, which may fail, end, change size or be swapped."""

    def __init__(self) -> None:
        self.shows: dict[str, Callable[[], Any]] = {}
        self.opened: list[str] = []

    def read(self, source: int | str, _settings: object, tallies: Any, *_: object, **_more: object) -> Iterator[Frame]:
        self.opened.append(str(source))
        while True:
            pixels = self.shows[str(source)]()
            tallies.forwarded += 1
            yield Frame(pixels, time.monotonic())
            time.sleep(0.03)


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Played:
    found = Played()
    monkeypatch.setattr("edge.capture.camera.read_camera", found.read)
    monkeypatch.setattr("edge.capture.camera.read_live", found.read)
    return found


@pytest.fixture
def one_loading(monkeypatch: pytest.MonkeyPatch, networks: Networks) -> None:
    monkeypatch.setattr("edge.perception.analysis.load_networks", lambda _options, _workers: networks)


def hall_config(folder: Path, basis: str = "") -> EdgeConfig:
    """Three counters whose cameras are named 1, 2 and 3."""
    text = HALL if not basis else HALL.replace('basis = "consent"', basis)
    return load_config(write(folder, text))


def wait_for(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    end_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.02)


ACTIVITY = """basis = "state_activity"
decision_number = "45/QĐ-UBND"
decision_date = 2026-01-01
office = "Văn phòng"
complaints = "0207 3822 222"
last_check = 2026-06-15"""


@pytest.mark.usefixtures("one_loading")
def test_a_counter_that_is_broken_stops_no_other(tmp_path: Path, played: Played) -> None:
    """One camera fails at every picture, one gives pictures of another size from one to the next, one is well."""
    sizes = iter(range(1, 1_000_000))

    def fails() -> Any:
        raise RuntimeError("a driver's secret")

    def changes() -> Any:
        return np.zeros((90 + next(sizes) % 7, 160, 3), np.uint8)

    played.shows = {"rtsp://10.0.0.1/": fails, "rtsp://10.0.0.2/": changes, "rtsp://10.0.0.3/": lambda: scene(HAPPY)}
    health = Health()
    visits: list[tuple[str, ClosedVisit]] = []
    analysis = Analysis(
        hall_config(tmp_path, ACTIVITY), lambda name, visit: visits.append((name, visit)), lambda *_: None, health
    )
    well = analysis.counters["3"].engine
    analysis.start()
    try:
        wait_for(lambda: well.looks > 3 and analysis.counters["2"].engine.looks > 3)
        assert analysis.counters["1"].camera_lost
        assert not analysis.counters["3"].camera_lost
        assert health.holds(BoxState.CAMERA_LOST)
        with pytest.MonkeyPatch.context() as patch:  # now its engine fails at every picture, too
            patch.setattr(analysis.counters["2"].engine, "look", lambda *_: fails())
            wait_for(lambda: analysis.counters["2"].looking.has_failed)
            before = well.looks
            wait_for(lambda: well.looks > before + 3)
            assert health.failing == ["eyes of counter 2"]
    finally:
        analysis.stop()


@pytest.mark.usefixtures("one_loading")
def test_a_camera_that_is_swapped_shows_its_own_counter_alone(tmp_path: Path, played: Played) -> None:
    """Pictures come from where they come from: what is seen at one source moves that counter's engine and no other."""
    nobody, happy = scene(), scene(HAPPY)
    shows = {"rtsp://10.0.0.1/": happy, "rtsp://10.0.0.2/": nobody, "rtsp://10.0.0.3/": nobody}
    played.shows = {source: partial(shows.__getitem__, source) for source in shows}
    analysis = Analysis(hall_config(tmp_path, ACTIVITY), lambda *_: None, lambda *_: None, Health())
    engines = [analysis.counters[name].engine for name in "123"]
    analysis.start()
    try:
        wait_for(lambda: engines[0].face_tallies.forwarded > 2 and engines[1].looks > 2)
        assert [engine.face_tallies.forwarded > 0 for engine in engines] == [True, False, False]
        shows["rtsp://10.0.0.1/"], shows["rtsp://10.0.0.2/"] = nobody, happy
        wait_for(lambda: engines[1].face_tallies.forwarded > 2)
        assert engines[2].face_tallies.forwarded == 0
    finally:
        analysis.stop()


@pytest.mark.usefixtures("one_loading")
def test_under_consent_only_the_camera_of_who_agreed_is_opened(tmp_path: Path, played: Played) -> None:
    """Nothing is decoded at a counter without a touch, while the neighbour's consented visit is analysed."""
    played.shows = {f"rtsp://10.0.0.{number}/": (lambda: scene(HAPPY)) for number in (1, 2, 3)}
    analysis = Analysis(hall_config(tmp_path), lambda *_: None, lambda *_: None, Health())
    engines = {name: each.engine for name, each in analysis.counters.items()}
    analysis.start()
    try:
        assert engines["2"].agree(time.monotonic())
        wait_for(lambda: engines["2"].tallies.forwarded > 3)
        assert set(played.opened) == {"rtsp://10.0.0.2/"}
        engines["2"].opt_out()
        camera = analysis.counters["2"].camera
        assert camera is not None
        wait_for(lambda: not camera.is_open)
        assert camera.waiting is None
        assert engines["1"].tallies.forwarded == engines["3"].tallies.forwarded == 0
    finally:
        analysis.stop()


def test_forty_dead_cameras_of_sixty_four_neither_delay_nor_starve(
    tmp_path: Path, played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All are tried side by side, and those that are well are looked at, each as often as the others."""
    counters = "\n".join(
        f'[[counter]]\nname = "{n}"\nagency = "a"\n[counter.camera]\nsource = "rtsp://10.0.0.{n}/"\n'
        "region = [[0, 0], [1, 0], [1, 1], [0, 1]]"
        for n in range(1, 65)
    )
    text = HALL[: HALL.index("[[counter]]")].replace('basis = "consent"', ACTIVITY) + counters
    text += '\n[[privacy.pools]]\nnumber = 1\nagency = "a"\n'
    opening = threading.Barrier(40)

    def dead() -> Any:
        opening.wait(60)  # one after the other they would never all be here
        raise RuntimeError

    small = np.zeros((90, 160, 3), np.uint8)
    played.shows = {f"rtsp://10.0.0.{n}/": dead if n <= 40 else lambda: small for n in range(1, 65)}
    monkeypatch.setattr("edge.perception.analysis.load_networks", lambda _options, _workers: _blind())
    analysis = Analysis(load_config(write(tmp_path, text)), lambda *_: None, lambda *_: None, Health())
    well = [analysis.counters[str(n)].engine for n in range(41, 65)]
    analysis.start()
    try:
        wait_for(lambda: min(each.looks for each in well) >= 4)
    finally:
        opening.abort()
        analysis.stop()
    assert all(analysis.counters[str(n)].camera_lost for n in range(1, 41))


def _blind() -> Networks:
    """Networks that see nobody and cost nothing."""
    from edge.audit.sensitivity import _networks

    found = _networks()
    object.__setattr__(found.voice, "another", lambda: found.voice)
    return found


def test_each_counter_has_its_own_region_and_prior(tmp_path: Path) -> None:
    config = hall_config(tmp_path)
    settings = [engine_settings(config, counter) for counter in config.counters]
    assert [each.region[0] for each in settings] == [(0.0, 0.0), (0.1, 0.1), (0.0, 0.0)]
    assert [each.fusion.prior for each in settings] == [(0.2, 0.7, 0.1), (0.1, 0.75, 0.15), (0.1, 0.75, 0.15)]
    assert [each.visits_by for each in settings] == ["presence", "presence", "presence"]
