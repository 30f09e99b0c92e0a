"""Cameras and microphones that are missing, hang, die, come back, are cut off, empty or silent."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.capture.camera import Camera, CameraSettings, read_camera
from edge.capture.lag import Lag
from edge.capture.media_file import Interest, open_media, read_chunks, read_frames
from edge.capture.microphone import Microphone, MicrophoneSettings, read_microphone
from edge.capture.redaction import redacted
from edge.capture.slots import Slots
from pipeline.errors import SourceError
from pipeline.records import SAMPLE_RATE_HZ, Tallies
from tests.edge.clips import HEIGHT_PX, RATE_HZ, WIDTH_PX, frames, scene, silence, voice, write_film, write_sound

QUICK = CameraSettings(open_s=2.0, read_s=2.0, stale_s=1.0, first_pause_s=0.1, longest_pause_s=0.2)


def wait_for(condition: Callable[[], bool], within_s: float = 60.0) -> None:
    end_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end_s, "did not happen in time"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds: a voice on the left channel, silence on the right."""
    speech = voice("voice_binh")[: 2 * SAMPLE_RATE_HZ]
    pictures = [frame.pixels for frame in frames(scene(("astronaut", 150, 60, 100)), 2.0)]
    path = tmp_path_factory.mktemp("films") / "film.mp4"
    return write_film(path, pictures, np.stack([speech, np.zeros_like(speech)]))


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("rtsp://admin:secret@10.0.0.5:554/live?password=secret", "rtsp://10.0.0.5:554/live"),
        ("rtsp://admin:se@cr/et@10.0.0.5/live", "rtsp://10.0.0.5/live"),
        ("rtsp://10.0.0.5/live", "rtsp://10.0.0.5/live"),
        ("/videos/counter@home.mp4", "/videos/counter@home.mp4"),
        (0, "0"),
    ],
)
def test_passwords_are_not_shown(source: int | str, shown: str) -> None:
    assert redacted(source) == shown


@pytest.mark.parametrize("source", ["rtsp://admin:secret@127.0.0.1:9/live", "tcp://admin:secret@127.0.0.1:9"])
def test_an_address_that_does_not_answer(source: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SourceError, match=r"cannot be opened.*Check address") as caught:
        Camera(source, settings=QUICK).check()
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert "secret" not in "".join(capfd.readouterr())


def missing(folder: Path) -> Path:
    return folder / "missing.mp4"


def empty(folder: Path) -> Path:
    (folder / "empty.mp4").touch()
    return folder / "empty.mp4"


def text(folder: Path) -> Path:
    (folder / "text.mp4").write_text("not a film" * 100)
    return folder / "text.mp4"


def sound_only(folder: Path) -> Path:
    return write_sound(folder / "sound.wav", np.stack([silence(1.0)]))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (missing, "There is no file"),
        (empty, "is empty"),
        (text, "not a film"),
        (sound_only, "holds no pictures"),
    ],
)
def test_files_that_are_no_film(make: Callable[[Path], Path], says: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=says):
        Camera(str(make(tmp_path))).check()


def test_a_missing_camera_names_the_fix() -> None:
    with pytest.raises(SourceError, match=r"no camera 97.*ls /dev/video"):
        Camera(97).check()
    assert Camera("97").source == 97


def test_a_film_that_is_cut_off_gives_what_it_has(film: Path, tmp_path: Path) -> None:
    whole = film.read_bytes()
    index = whole.index(b"moov")
    damaged = bytearray(whole)
    media = whole.index(b"mdat")
    # damage the pictures, keep the index
    middle = (media + min(index, len(whole))) // 2 if index > media else media + 2000
    damaged[middle : middle + 3000] = np.random.default_rng(1).bytes(3000)
    (tmp_path / "damaged.mp4").write_bytes(bytes(damaged))
    tallies = Tallies()
    found = list(read_camera(str(tmp_path / "damaged.mp4"), QUICK, tallies))
    assert 0 < len(found) <= 2 * RATE_HZ
    assert [frame.time_s for frame in found] == sorted(frame.time_s for frame in found)
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 3])
    with pytest.raises(SourceError):
        list(read_camera(str(tmp_path / "cut.mp4"), QUICK, tallies))


def test_a_film_read_fast_keeps_its_own_time(film: Path) -> None:
    for _ in range(10):  # on a busy machine the first ones may take long
        tallies = Tallies()
        start_s = time.perf_counter()
        found = list(read_camera(str(film), QUICK, tallies))
        took_s = time.perf_counter() - start_s
        if took_s < 1.5:
            break
    assert took_s < 1.5
    assert tallies.forwarded == len(found) == 2 * RATE_HZ
    assert [frame.time_s for frame in found] == pytest.approx([number / RATE_HZ for number in range(2 * RATE_HZ)])
    assert found[0].pixels.shape == (360, 640, 3)


def test_a_film_played_like_a_camera_takes_its_time_and_ends(film: Path) -> None:
    camera = Camera(str(film))
    camera.start()
    start_s = time.monotonic()
    times = []
    while not camera.finished:
        frame = camera.next(0.5)
        if frame is not None:
            times.append(frame.time_s)
    camera.stop()
    assert time.monotonic() - start_s > 1.7
    assert len(times) + camera.tallies.dropped.get("late", 0) == 2 * RATE_HZ
    assert times[0] >= start_s - 0.1
    assert not camera.lost


def test_a_film_is_over_though_its_last_picture_waits_for_nobody(film: Path) -> None:
    """Whether the last picture fell between two looks is luck; whoever waits for the end is not to wait for ever."""
    camera, due = Camera(str(film)), [True]
    camera.deliver_to(lambda _frame: None, lambda _frame: "between", lambda _frame: due[0])
    camera.start()
    wait_for(camera._ended.is_set)
    assert camera.waiting is not None
    assert not camera.finished
    due[0] = False
    assert camera.finished
    camera.stop()


def test_a_looping_film_goes_on(film: Path) -> None:
    camera = Camera(str(film), loop=True)
    camera.start()
    times: list[float] = []
    while camera.tallies.forwarded <= 25:
        frame = camera.next(2.0)
        assert frame is not None
        times.append(frame.time_s)
    camera.stop()
    assert not camera.finished
    assert times == sorted(times)


def test_frames_that_nobody_takes_are_dropped_and_counted(film: Path) -> None:
    camera = Camera(str(film))
    camera.start()
    wait_for(camera._ended.is_set)
    assert camera.next(0.1) is not None
    assert camera.next(0.05) is None
    camera.stop()
    assert camera.tallies.dropped["late"] == 2 * RATE_HZ - 1


class Server:
    """A network camera: a TCP port that sends a film as MPEG-TS, and can hang, die and come back."""

    def __init__(self, stream: bytes) -> None:
        self.stream = stream
        self.behaviour = "play"
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.1)
        self.address = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while not self._stop.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            self.connections += 1
            threading.Thread(target=self._send, args=(connection,), daemon=True).start()

    def _send(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(5.0)
            with contextlib.suppress(OSError):
                connection.sendall(self.stream)
                while self.behaviour == "hang" and not self._stop.is_set():
                    time.sleep(0.05)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    pictures = [frame.pixels for frame in frames(scene(("obama", 150, 60, 100)), 2.0)]
    found = Server(write_film(tmp_path / "stream.ts", pictures).read_bytes())
    yield found
    found.close()


@pytest.mark.parametrize(("behaviour", "counted"), [("play", "lost"), ("hang", "stale")])
def test_a_camera_that_dies_or_hangs_comes_back(server: Server, behaviour: str, counted: str) -> None:
    server.behaviour = behaviour
    states: list[bool] = []
    camera = Camera(server.address, settings=QUICK, on_lost=states.append)
    camera.start()
    seen = 0

    def seen_again() -> bool:
        nonlocal seen
        seen += camera.next(0.05) is not None
        return server.connections >= 3 and seen >= 3 and len(states) >= 4

    wait_for(seen_again, 20.0)
    assert camera.tallies.dropped[counted] >= 2
    assert states[:4] == [True, False, True, False]
    camera.stop()


def test_a_camera_that_was_missing_at_the_start_is_found_later(server: Server, film: Path) -> None:
    port = int(server.address.rpartition(":")[2])
    server.close()
    camera = Camera(f"tcp://127.0.0.1:{port}", settings=QUICK)
    camera.start()
    wait_for(lambda: camera.tallies.dropped.get("lost", 0) >= 2)
    assert camera.lost
    assert "cannot be opened" in camera.reason
    listener = socket.create_server(("127.0.0.1", port))
    connection, _ = listener.accept()
    connection.sendall(server.stream)
    connection.close()
    wait_for(lambda: camera.next(0.05) is not None)
    camera.stop()
    listener.close()


# -- sound -----------------------------------------------------------------------------------------------------------


def sound_of(path: Path, channel: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.concatenate([c.samples for c in read_chunks(open_media(str(path)), str(path), channel, Tallies())])


def test_only_the_citizens_channel_is_heard(film: Path) -> None:
    left, right = sound_of(film, 0), sound_of(film, 1)
    assert len(left) == pytest.approx(2 * SAMPLE_RATE_HZ, abs=3000)
    assert float(np.abs(left).max()) > 0.1
    assert float(np.abs(right).max()) < 0.01
    with pytest.raises(SourceError, match=r"has 2 channel.*counted from 0"):
        sound_of(film, 2)


def test_sound_of_another_rate_is_brought_to_16_khz(tmp_path: Path) -> None:
    import wave

    path = tmp_path / "tone.wav"
    tone = (0.5 * np.sin(2 * np.pi * 440 * np.arange(44_100) / 44_100) * 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(44_100)
        file.writeframes(tone.tobytes())
    found = sound_of(path, 0)
    assert len(found) == pytest.approx(SAMPLE_RATE_HZ, abs=40)
    spectrum = np.abs(np.fft.rfft(found))
    assert np.fft.rfftfreq(len(found), 1 / SAMPLE_RATE_HZ)[spectrum.argmax()] == pytest.approx(440, abs=2)


def test_a_film_without_sound_is_told(tmp_path: Path) -> None:
    path = write_film(tmp_path / "mute.mp4", [scene()] * 5)
    with pytest.raises(SourceError, match="holds no sound"):
        Microphone(str(path)).check()


def test_a_missing_microphone_names_the_fix() -> None:
    with pytest.raises(SourceError, match=r"apt install libportaudio2|no microphone.*python -m sounddevice"):
        Microphone("nothing of this name").check()


def test_a_microphone_without_its_library_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "sounddevice", None)
    monkeypatch.setattr("builtins.__import__", _without_portaudio(__import__))
    with pytest.raises(SourceError, match="apt install libportaudio2"):
        next(read_microphone(0, 0, MicrophoneSettings(), Tallies()))


def _without_portaudio(real: Callable[..., object]) -> Callable[..., object]:
    # what sounddevice does on a machine without the library
    def importing(name: str, *args: object, **more: object) -> object:
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
        return real(name, *args, **more)

    return importing


@pytest.mark.slow
def test_a_silent_microphone_is_told_and_a_heard_one_is_well_again(tmp_path: Path) -> None:
    sound = np.concatenate([silence(2.0), voice("voice_ly")])
    path = write_sound(tmp_path / "sound.wav", np.stack([sound]))
    states: list[bool] = []
    microphone = Microphone(str(path), settings=MicrophoneSettings(silent_s=0.7), on_lost=states.append)
    microphone.start()
    wait_for(lambda: microphone.lost)
    assert "only silence" in microphone.reason
    wait_for(lambda: (microphone.next(0.01), microphone.finished)[1], 15.0)
    assert states == [True, False]
    assert microphone.tallies.dropped["silent"] == 1
    microphone.stop()


def test_a_microphone_file_that_goes_missing_does_not_end_the_box(tmp_path: Path) -> None:
    settings = MicrophoneSettings(first_pause_s=0.05, longest_pause_s=0.1)
    path = tmp_path / "late.wav"
    microphone = Microphone(str(path), settings=settings, loop=True)
    microphone.start()
    wait_for(lambda: microphone.tallies.dropped.get("lost", 0) >= 2)
    assert "There is no file" in microphone.reason
    write_sound(path, np.stack([voice("voice_ly")]))
    wait_for(lambda: microphone.next(0.05) is not None)
    wait_for(lambda: not microphone.lost)
    microphone.stop()


def test_sound_that_nobody_takes_is_bounded() -> None:
    tallies = Tallies()
    slots: Slots[int] = Slots(3, tallies)
    for number in range(10):
        slots.put(number)
    assert len(slots) == 3
    assert tallies.dropped == {"late": 7}
    assert [slots.get(0) for _ in range(4)] == [7, 8, 9, None]


def test_a_file_that_plays_before_a_closed_camera_goes_on_meanwhile(tmp_path: Path) -> None:
    """Opened late, closed, opened again: each time at the moment of the film that the clock has reached."""
    shades = [np.full((HEIGHT_PX, WIDTH_PX, 3), 40 + 8 * (number // 5), np.uint8) for number in range(100)]
    camera = Camera(str(write_film(tmp_path / "day.mp4", shades)), settings=QUICK)
    camera.play_from_now()
    begun_s = time.monotonic()
    seen: list[float] = []
    for pause_s in (1.0, 1.5):
        time.sleep(pause_s)
        assert not camera.is_open
        assert seen or camera.tallies.forwarded == 0
        camera.start()
        frame = camera.next(5.0)
        assert frame is not None
        expected = 40 + 8 * ((frame.time_s - begun_s) * RATE_HZ // 5)
        seen.append(abs(float(frame.pixels.mean()) - expected))
        camera.stop()
        assert camera.next(0.05) is None, "nothing that was read is kept"
    assert max(seen) < 12, seen


def test_what_nobody_looks_at_is_not_made_and_in_rest_not_even_decoded(tmp_path: Path) -> None:
    """A stream's pictures that are not due are not turned into arrays; while no visit is open those that no other is
    coded after are skipped, and the rest stay whole."""
    path = tmp_path / "b-frames.mp4"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=RATE_HZ, options={"bf": "2", "b-pyramid": "none", "g": "60"})
        video.width, video.height, video.pix_fmt = 160, 96, "yuv420p"
        for number in range(60):
            pixels = np.full((96, 160, 3), 4 * number, np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format="bgr24")))
        container.mux(video.encode(None))

    def read(interest: Interest) -> tuple[list[int], Tallies]:
        tallies = Tallies()
        container = open_media(str(path))
        try:
            found = [int(frame.pixels.mean()) for frame in read_frames(container, str(path), tallies, 0.0, interest)]
        finally:
            container.close()
        return found, tallies

    every, _ = read(Interest())
    calls = count()
    third, tallies = read(Interest(wants=lambda: next(calls) % 3 == 0))
    assert third == every[::3]
    assert (tallies.forwarded, tallies.dropped) == (20, {"unwanted": 40})
    resting, tallies = read(Interest(rests=lambda: True))
    assert 15 <= len(resting) <= 35, "two of three pictures are of that kind, where nothing moves the coder to others"
    assert set(resting) <= set(every), "none is damaged by what was left out"
    assert tallies.dropped == {}
    nothing, tallies = read(Interest(wants=lambda: False))
    assert nothing == [], "which is no stream without pictures"
    assert tallies.dropped == {"unwanted": 60}


def test_a_stream_that_is_read_too_late_leaves_out_pictures_until_it_has_caught_up(tmp_path: Path) -> None:
    """Less often, never later: and what comes after the gap is whole."""
    path = tmp_path / "stream.mp4"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=10, options={"bf": "0", "g": "30", "sc_threshold": "0"})
        video.width, video.height, video.pix_fmt = 160, 96, "yuv420p"
        for number in range(90):
            pixels = np.full((96, 160, 3), 2 * number, np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format="bgr24")))
        container.mux(video.encode(None))

    def read(late_s: Callable[[int], float]) -> tuple[list[int], Tallies]:
        tallies, packet = Tallies(), count()

        def clock() -> float:
            number = next(packet)
            return 1_000.0 + number / 10 + late_s(number)

        container = open_media(str(path))
        try:
            shown = read_frames(container, str(path), tallies, 0.0, Interest(clock=clock))
            return [int(frame.pixels.mean()) for frame in shown], tallies
        finally:
            container.close()

    whole, tallies = read(lambda number: 0.0)
    assert len(whole) == 90
    assert tallies.dropped == {}
    found, tallies = read(lambda number: 2.0 if 40 <= number < 50 else 0.1 if number % 7 == 0 else 0.0)
    assert found == whole[:40] + whole[60:], "to the next picture that stands alone"
    assert tallies.dropped == {"behind": 20}
    slow, tallies = read(lambda number: 0.01 * number)  # is read ever later, and never catches up
    assert set(slow) <= set(whole)
    assert whole[60] in slow, "pictures that stand alone are decoded all the same"
    assert tallies.dropped["behind"] > 20


@given(st.lists(st.tuples(st.floats(-10, 10), st.floats(0, 10)), max_size=20), st.floats(-0.0009, 0.0009))
def test_a_stream_that_comes_in_time_is_not_behind_whatever_its_clock_did_before(
    leaps: list[tuple[float, float]], drift: float
) -> None:
    """A camera that was started anew, set its clock, or whose clock drifts, is not taken for one that is late."""
    lag, sent_s, now_s = Lag(), 0.0, 0.0
    for step_s, later_s in leaps:
        sent_s, now_s = sent_s + step_s, now_s + later_s
        lag.update(sent_s, now_s)
    sent_s += 100.0  # another stretch
    for _ in range(300):
        sent_s, now_s = sent_s + 0.1, now_s + 0.1 * (1 + drift)
        assert not lag.update(sent_s, now_s)
    assert lag.update(sent_s + 0.1, now_s + 1.0), "and what is late is seen"
