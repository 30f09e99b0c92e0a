"""What looks and listens: the counters of a box, each with camera, microphone and engine, and the workers that serve
them all. Only opened where the notice is confirmed and the legal basis holds; where that is consent, only while a
citizen's yes holds, at that citizen's counter.

Cameras and microphones are read by threads of their own. Few workers look, in turns (`edge.perception.turns`); each has
eyes of its own, and the faces that one turn finds at several counters are read at once. One worker listens, one keeps
the time.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from edge.config import EdgeConfig
from edge.counters import CounterSection
from edge.delivery.health import Health
from edge.perception.engine import Engine, FaceToRead
from edge.perception.networks import Eyes, NetworkOptions, load_networks
from edge.perception.settings import EngineSettings
from edge.perception.turns import Turns
from edge.perception.watched import Watched, settings_of
from edge.worker import Worker
from pipeline.fusion import FusionParameters
from pipeline.records import ClosedVisit, FaceAffect
from pipeline.wire import BoxState

_log = logging.getLogger(__name__)
_WAIT_S = 0.25
_WORDS_PAUSE_S = 0.2
AT_ONCE = 4
"""Faces that are read at once: more save little, and the first would wait for the last."""
COUNTERS_OF_A_WORKER = 8
MAX_WORKERS = 4


def engine_settings(config: EdgeConfig, counter: CounterSection | None = None) -> EngineSettings:
    """The settings of a counter's engine, the first one's where none is named. A box that restarts does not know who
    had opted out, as that is kept nowhere: so whoever is there is left alone (a demo has nobody to protect, and its
    films begin at once)."""
    fusion = FusionParameters()
    settings = EngineSettings(
        empty_first=not config.box.demo,
        asks_consent=config.legal.asks_consent,
        fusion=fusion.by_geometry() if config.models.face == "face-geometry" else fusion,
    )
    settings = settings_of(counter or config.counters[0], settings)
    return settings.for_demo() if config.box.demo else settings


def network_options(config: EdgeConfig) -> NetworkOptions:
    """Which networks, under which licences."""
    chosen = config.models
    return NetworkOptions(accepted=chosen.licences, demo=config.box.demo, asr=chosen.asr, face=chosen.face)


def workers_for(cameras: int) -> int:
    """How many look: as many as there are processors for, and counters to keep them busy."""
    return max(1, min(MAX_WORKERS, len(os.sched_getaffinity(0)), -(-cameras // COUNTERS_OF_A_WORKER)))


class Analysis:
    """Loads the networks and opens each source once, all side by side, at construction: raises `ModelError`, and
    `SourceError` for the file of a box of one counter. Where consent is asked nothing is opened: whoever looks after
    the box tries them by `hailong edge check`.

    `on_visit`, `on_started`: called with the counter's name first."""

    def __init__(
        self,
        config: EdgeConfig,
        on_visit: Callable[[str, ClosedVisit], None],
        on_started: Callable[[str, int], None],
        health: Health,
    ) -> None:
        counters = [counter for counter in config.counters if counter.has_source]
        workers = workers_for(sum(counter.camera.source != "none" for counter in counters))
        networks = load_networks(network_options(config), workers)
        for notice in networks.notices:
            _log.warning("%s", notice)
        self.provider = networks.provider
        self._digests = dict(networks.digests)
        alone, at_once = len(config.counters) == 1, not config.legal.asks_consent
        self.counters: dict[str, Watched] = {}
        for counter in counters:
            engine = Engine(
                engine_settings(config, counter),
                networks if not self.counters else networks.for_counter(),
                partial(on_visit, counter.name),
                partial(on_started, counter.name),
            )
            self.counters[counter.name] = Watched(counter, engine, health, alone, at_once)
        watched = list(self.counters.values())
        with ThreadPoolExecutor(max(1, len(watched)), "opening") as side_by_side:
            list(side_by_side.map(Watched.check, watched))  # raises the first one's error
        self._frames = Turns(watched, Watched.frame_due, workers)
        self._chunks = Turns(watched, Watched.chunk_due)
        for each in watched:
            each.deliver_to(self._frames.wake, self._chunks.wake)
        off = BoxState.ANALYSIS_OFF
        works: list[tuple[str, Callable[[], None]]] = [
            (f"looker {number}", partial(self._look, eyes)) for number, eyes in enumerate(networks.all_eyes, start=1)
        ]
        works.append(("clock", self._tend))
        if any(each.microphone is not None for each in watched):
            works.append(("listener", self._listen))
        if config.models.asr:
            works.append(("words reader", self._read_words))
        self._workers = {name: Worker(name, work, on_failed=health.failed(name, off)) for name, work in works}

    @property
    def notices(self) -> list[str]:
        """What was poor about the pictures that were read at the start, at any counter (keys of
        `edge.capture.quality.NOTICES`)."""
        return sorted({key for each in self.counters.values() for key in each.notices})

    def model_digests(self) -> Iterable[tuple[str, bytes]]:
        """(name, SHA-256) of every file of weights in use."""
        return sorted(self._digests.items())

    @property
    def has_ended(self) -> bool:
        """Whether every source is a file that has been played to its end."""
        return all(source.finished for each in self.counters.values() for source in each.sources)

    def start(self) -> None:
        """Begin to look and listen."""
        for each in self.counters.values():
            each.start()
        for worker in self._workers.values():
            worker.start()

    def stop(self) -> None:
        """Look and listen no more; open visits end and are counted."""
        self.close()
        for worker in self._workers.values():
            worker.stop()
        for each in self.counters.values():
            for source in each.sources:
                source.stop()
            each.engine.finish()

    def close(self) -> None:
        """Look and listen no more; does not wait."""
        for each in self.counters.values():
            each.close()
        for worker in self._workers.values():
            worker.ask_to_stop()

    def _look(self, eyes: Eyes) -> None:
        chosen = self._frames.take(AT_ONCE, _WAIT_S)
        try:
            found = [(each, each.look(eyes)) for each in chosen]
            read_faces([(each, asked) for each, asked in found if asked is not None], eyes)
        finally:
            self._frames.give_back(chosen)

    def _listen(self) -> None:
        chosen = self._chunks.take(len(self.counters), _WAIT_S)
        try:
            for each in chosen:
                each.listen()
        finally:
            self._chunks.give_back(chosen)

    def _tend(self) -> None:
        for each in self.counters.values():
            each.tend()
        self._workers["clock"].wait(_WAIT_S)

    def _read_words(self) -> None:
        read = sum(each.read_words() for each in self.counters.values())
        if not read:
            self._workers["words reader"].wait(_WORDS_PAUSE_S)


def read_faces(asked: Sequence[tuple[Watched, FaceToRead]], eyes: Eyes) -> None:
    """Read faces of several counters at once, and hand each what was read of its own. One whose citizen has opted out
    in the meantime is left out: the check and the reading are in one hold of the eyes, which the opt-out waits for, to
    wipe them."""
    with eyes.lock:
        wanted = [(each, face) for each, face in asked if face.is_wanted]
        affects = _infer(wanted, eyes) if wanted else []
    for (each, face), affect in zip(wanted, affects, strict=True):
        if affect is not None:
            each.take_affect(face, affect)


def _infer(wanted: Sequence[tuple[Watched, FaceToRead]], eyes: Eyes) -> Sequence[FaceAffect | None]:
    """Of all at once; where that fails, one after the other, so that it fails for one counter alone."""
    try:
        return eyes.face.infer([face.crop for _, face in wanted])
    except Exception:  # a supervisor: whose it is shows below
        found: list[FaceAffect | None] = []
        for each, face in wanted:
            try:
                found += eyes.face.infer([face.crop])
            except Exception as error:
                each.looking.failed(error)
                found.append(None)
        return found
