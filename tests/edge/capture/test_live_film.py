"""A live stream is decoded by whoever looks: what he sees is the present and whole, however long he was away."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.capture.decoding import Coded, Decoder
from edge.capture.live_film import LiveFilm
from edge.capture.media_file import Interest, open_media, read_frames, to_decode, video_of
from edge.capture.resting import MAX_HELD
from pipeline.records import Frame, Tallies
from tests.edge.capture.test_resting import CODINGS, KEY, RATE_HZ, write


def name_of(frame: Frame) -> str:
    """A picture's, by all its pixels."""
    return hashlib.blake2b(frame.pixels.tobytes(), digest_size=8).hexdigest()


class Played:
    """A film's packets as they come by the network, and whoever looks at them."""

    def __init__(self, path: Path, interest: Interest | None = None) -> None:
        self.tallies = Tallies()
        self.container = open_media(str(path))
        stream = video_of(self.container, str(path))
        self.film = LiveFilm(stream, self.tallies)
        resting = self.film.decoder.resting
        self.packets = to_decode(
            self.container, stream, str(path), self.tallies, interest or Interest(clock=lambda: 0.0), resting
        )
        self.come = 0

    def comes(self, count: int = 1) -> None:
        """So many packets come, each at the time of its number."""
        for _ in range(count):
            coded = next(self.packets, None)
            if coded is None:
                return
            self.film.put(coded, float(self.come))
            self.come += 1

    def close(self) -> None:
        self.film.close()
        self.container.close()


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, list[str]]]:
    """One film of each coding, and the names of its pictures."""
    found = {}
    for number, coding in enumerate(CODINGS):
        path = tmp_path_factory.mktemp("streams") / f"{number}.mp4"
        write(path, coding)
        container = open_media(str(path))
        found[coding] = (path, [name_of(frame) for frame in read_frames(container, str(path), Tallies())])
        container.close()
    return found


@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(sorted(CODINGS)), st.lists(st.integers(0, 45), max_size=12))
def test_whoever_looks_sees_the_present_whole_however_long_he_was_away(
    streams: dict[str, tuple[Path, list[str]]], coding: str, pauses: list[int]
) -> None:
    path, whole = streams[coding]
    late = 0 if coding == "as cameras code" else 4  # pictures that are sorted anew come so many packets later
    played = Played(path)
    place = {name: number for number, name in enumerate(whole)}
    last_s, last = -1.0, -1
    for pause in pauses:
        played.comes(pause)
        frame = played.film.newest()
        if frame is None:
            assert pause <= late or played.come >= len(whole), "nothing new has come out of the decoder"
            continue
        number = place[name_of(frame)]  # a KeyError: a picture that was never coded, so a damaged one
        assert frame.time_s > last_s
        assert number > last
        newest = min(played.come, len(whole)) - 1
        assert newest - late <= number <= newest
        last_s, last = frame.time_s, number
    dropped = played.tallies.dropped
    assert "corrupt" not in dropped
    assert played.tallies.forwarded + dropped.get("unwanted", 0) + dropped.get("needless", 0) <= played.come
    played.close()


def test_what_waits_when_a_picture_that_stands_alone_comes_is_never_decoded(
    streams: dict[str, tuple[Path, list[str]]],
) -> None:
    path, whole = streams["as cameras code"]
    played = Played(path)
    played.comes()
    assert played.film.has_shown, "the first one is decoded at once: it shows that the camera works"
    played.comes(KEY)
    frame = played.film.newest()
    assert frame is not None
    assert name_of(frame) == whole[KEY]
    assert frame.time_s == KEY
    assert played.tallies.dropped == {"needless": KEY - 1}
    assert played.tallies.forwarded == 2
    assert played.film.newest() is None, "nothing has come since"
    played.close()


def test_pictures_between_are_decoded_but_not_turned_into_frames(
    streams: dict[str, tuple[Path, list[str]]],
) -> None:
    path, whole = streams["as cameras code"]
    played = Played(path)
    played.comes(6)
    frame = played.film.newest()
    assert frame is not None
    assert name_of(frame) == whole[5]
    assert (played.tallies.forwarded, played.tallies.dropped) == (2, {"unwanted": 4})
    played.close()


def test_packets_that_nobody_takes_are_bounded(tmp_path: Path) -> None:
    """Where pictures that stand alone are far apart and nobody looks: the reader decodes, as before, and nothing is
    lost for whoever looks then."""
    write(tmp_path / "stream.mp4", pictures=600, key=600)
    played = Played(tmp_path / "stream.mp4")
    most = 0
    for _ in range(600):
        played.comes()
        most = max(most, len(played.film._waiting))
    assert most <= MAX_HELD
    frame = played.film.newest()
    assert frame is not None
    assert frame.time_s == 599
    played.close()


def test_what_is_closed_decodes_nothing_and_keeps_nothing(streams: dict[str, tuple[Path, list[str]]]) -> None:
    played = Played(streams["as cameras code"][0])
    played.comes(5)
    played.film.close()
    assert played.film.newest() is None
    played.comes(5)
    assert not played.film._waiting
    assert played.film.newest() is None
    played.close()


def test_the_last_picture_of_a_stream_that_has_ended_can_be_seen(streams: dict[str, tuple[Path, list[str]]]) -> None:
    path, whole = streams["as cameras code"]
    played = Played(path)
    played.comes(5)
    played.film.end()
    played.comes(5)
    frame = played.film.newest()
    assert frame is not None
    assert name_of(frame) == whole[4]
    assert played.film.newest() is None
    played.close()


def test_packets_without_a_picture_are_told_from_when_on(streams: dict[str, tuple[Path, list[str]]]) -> None:
    class Garbage:
        is_keyframe, size = False, 10

        def decode(self) -> list[Any]:
            raise ValueError("damaged")

    played = Played(streams["as cameras code"][0])
    played.comes(2)
    assert played.film.newest() is not None
    assert played.film.barren_since_s is None
    for _ in range(3):
        played.film.put(Coded(Garbage()), 5.0)
        assert played.film.newest() is None
    assert played.tallies.dropped["corrupt"] == 3
    since_s = played.film.barren_since_s
    assert since_s is not None
    played.comes(KEY)
    assert played.film.newest() is not None, "from the next one that stands alone at the latest"
    assert played.film.barren_since_s is None
    played.close()


def test_asleep_a_picture_that_stands_alone_wakes_nobody_for_those_after_it(tmp_path: Path) -> None:
    """Though it is decoded later than the next ones come."""
    write(tmp_path / "stream.mp4")
    number = 0

    def clock() -> float:
        nonlocal number
        number += 1
        return 1_000.0 + number / RATE_HZ

    played = Played(tmp_path / "stream.mp4", Interest(sleeps=lambda: True, clock=clock))
    seen = []
    for coded in played.packets:
        if not coded.packet.size:
            break  # the end
        played.film.put(coded, 0.0)
        seen.append(number - 1)
        if len(seen) == 1:
            played.film.newest()
    assert seen == [0, 20, 40, 60, 80]
    played.close()


def test_two_who_look_while_packets_come(streams: dict[str, tuple[Path, list[str]]]) -> None:
    path, whole = streams["sorted anew"]
    played = Played(path)
    known, found, over = set(whole), [], threading.Event()
    errors: list[BaseException] = []

    def look() -> None:
        try:
            while not over.is_set():
                frame = played.film.newest()
                if frame is not None:
                    found.append(name_of(frame))
        except BaseException as error:
            errors.append(error)

    lookers = [threading.Thread(target=look) for _ in range(2)]
    for each in lookers:
        each.start()
    for _ in range(20):
        played.comes(5)
        threading.Event().wait(0.005)
    over.set()
    for each in lookers:
        each.join(60)
    played.close()
    assert not errors
    assert found
    assert set(found) <= known, "none is damaged"
    assert len(set(found)) == len(found), "none is seen twice"


def test_a_picture_has_the_colours_that_the_library_gives_it_by_itself(
    streams: dict[str, tuple[Path, list[str]]],
) -> None:
    """One converter for all pictures of a stream, in place of one made for each of them."""
    for path, _names in streams.values():
        with open_media(str(path)) as container:
            stream = video_of(container, str(path))
            decoder = Decoder(stream, Tallies())
            seen = 0
            for packet in container.demux(stream):
                for picture in decoder.decode(Coded(packet)) if packet.size else ():
                    frame = decoder.frame(picture, 0.0)
                    assert frame is not None
                    assert (frame.pixels == picture.to_ndarray(format="bgr24")).all()
                    seen += 1
        assert seen > 5
