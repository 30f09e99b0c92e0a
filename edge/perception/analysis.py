"""What looks and listens: camera and microphone feed one engine, on threads of their own. Only opened where the
notice is confirmed and the legal basis holds; where that is consent, only while a citizen's yes holds."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from functools import partial

from edge.capture.camera import Camera
from edge.capture.media_file import require_file
from edge.capture.microphone import Microphone
from edge.config import EdgeConfig
from edge.delivery.health import Health
from edge.perception.engine import Engine
from edge.perception.networks import NetworkOptions, load_networks
from edge.perception.settings import EngineSettings
from edge.worker import Worker
from pipeline.errors import SourceError
from pipeline.fusion import FusionParameters
from pipeline.records import ClosedVisit
from pipeline.wire import BoxState

_log = logging.getLogger(__name__)
_WAIT_S = 0.25
_WORDS_PAUSE_S = 0.2
DAY_S = 86_400


def engine_settings(config: EdgeConfig) -> EngineSettings:
    """The engine's settings from the configuration. A box that restarts does not know who had opted out, as that is
    kept nowhere: so whoever is there is left alone (a demo has nobody to protect, and its films begin at once)."""
    fusion = FusionParameters(prior=config.visit.prior)
    settings = EngineSettings(
        region=config.camera.region,
        visits_by=config.visit.by,
        has_camera=config.camera.source != "none",
        empty_first=not config.box.demo,
        asks_consent=config.legal.asks_consent,
        fusion=fusion.by_geometry() if config.models.face == "face-geometry" else fusion,
    )
    return settings.for_demo() if config.box.demo else settings


def network_options(config: EdgeConfig) -> NetworkOptions:
    """Which networks, under which licences."""
    chosen = config.models
    return NetworkOptions(accepted=chosen.licences, demo=config.box.demo, asr=chosen.asr, face=chosen.face)


class Analysis:
    """Loads the networks and opens each source once, at construction: raises `ModelError`, and `SourceError` for a
    file. Where consent is asked nothing is opened: whoever looks after the box tries them by `hailong edge check`."""

    def __init__(
        self,
        config: EdgeConfig,
        on_visit: Callable[[ClosedVisit], None],
        on_started: Callable[[int], None],
        health: Health,
    ) -> None:
        networks = load_networks(network_options(config))
        for notice in networks.notices:
            _log.warning("%s", notice)
        self.provider = networks.provider
        self._digests = dict(networks.digests)
        self.engine = Engine(engine_settings(config), networks, on_visit, on_started)
        self._health = health
        self._asks_consent, self._stopping = config.legal.asks_consent, False
        self._told_day: int | None = None
        self.camera: Camera | None = None
        self.microphone: Microphone | None = None
        if config.camera.source != "none":
            self.camera = Camera(config.camera.source, loop=config.camera.loop, on_lost=self._camera_lost)
            self._check(self.camera, BoxState.CAMERA_LOST)
        if config.microphone.source != "none":
            self.microphone = Microphone(
                config.microphone.source,
                channel=config.microphone.channel,
                loop=config.microphone.loop,
                on_lost=self._microphone_lost,
            )
            self._check(self.microphone, BoxState.MICROPHONE_LOST)
        works = [("eyes", self._look), ("ears", self._listen)]
        if config.models.asr:
            works.append(("words", self._read_words))
        # one frame that fails must not end the box; where every one does, nothing is analysed any more
        self._workers = [
            Worker(
                name,
                work,
                on_failed=health.failed(name, BoxState.ANALYSIS_OFF),
                on_error=partial(self.engine.tallies.drop, f"{name}_failed"),
                tolerated=25,
            )
            for name, work in works
        ]

    def _check(self, source: Camera | Microphone, lost: BoxState) -> None:
        """Read once, unless consent is asked first. A file that cannot be read is a wrong configuration; a device may
        be slower to start than the box after a power cut, so the box goes on without it, says so, and tries again."""
        if self._asks_consent:
            if source.is_file:
                require_file(str(source.source))
            return
        try:
            source.check()
        except SourceError as error:
            if source.is_file and "://" not in str(source.source):
                raise
            self._health.set(lost, True)
            _log.warning("%s It is tried again.", error)

    def model_digests(self) -> Iterable[tuple[str, bytes]]:
        """(name, SHA-256) of every file of weights in use."""
        return sorted(self._digests.items())

    @property
    def has_ended(self) -> bool:
        """Whether every source is a file that has been played to its end."""
        sources = [source for source in (self.camera, self.microphone) if source is not None]
        return all(source.finished for source in sources)

    def start(self) -> None:
        """Begin to look and listen."""
        for source in (self.camera, self.microphone):
            if source is not None and self._asks_consent:
                source.play_from_now()
            elif source is not None:
                source.start()
        for worker in self._workers:
            worker.start()

    def stop(self) -> None:
        """Look and listen no more; an open visit ends and is counted."""
        self.close()
        for worker in self._workers:
            worker.stop()
        self.engine.finish()

    def close(self) -> None:
        """Look and listen no more."""
        self._stopping = True
        for worker in self._workers:
            worker.ask_to_stop()
        for source in (self.camera, self.microphone):
            if source is not None:
                source.stop()

    def _tend(self, source: Camera | Microphone | None) -> None:
        """Open a source where a yes begins to hold, and close it as soon as none does."""
        if source is None or not self._asks_consent:
            return
        wanted = self.engine.wants_sources and not self._stopping
        if wanted and not source.is_open and not source.finished:
            source.start()
        elif not wanted and source.is_open:
            source.stop()

    def _look(self) -> None:
        if self._asks_consent:
            self.engine.tick(time.monotonic())
            self._tend(self.camera)
            self.tell_of_day(int(time.time() // DAY_S))
        frame = self.camera.next(_WAIT_S) if self.camera is not None else None
        if frame is not None:
            self.engine.feed_frame(frame)
        elif self.camera is None:
            self.engine.tick(time.monotonic())
            self._workers[0].wait(_WAIT_S)
        elif self.camera.lost or self.camera.finished:
            self.engine.tick(time.monotonic())

    def _listen(self) -> None:
        if self.microphone is None:
            self._workers[1].wait(_WAIT_S)
            return
        self._tend(self.microphone)
        chunk = self.microphone.next(_WAIT_S)
        if chunk is not None:
            self.engine.feed_chunk(chunk)

    def _read_words(self) -> None:
        if not self.engine.work_words():
            self._workers[2].wait(_WORDS_PAUSE_S)

    def tell_of_day(self, day: int) -> None:
        """Under consent sources open because somebody touched yes, and whether they do is told with the next day:
        earlier, heartbeats and journal would tell of the touch."""
        if day != self._told_day:
            self._told_day = day
            for state, name, source in (
                (BoxState.CAMERA_LOST, "camera", self.camera),
                (BoxState.MICROPHONE_LOST, "microphone", self.microphone),
            ):
                if source is not None:
                    self._tell(state, source.lost, name, source)

    def _camera_lost(self, lost: bool) -> None:
        if not self._asks_consent:
            self._tell(BoxState.CAMERA_LOST, lost, "camera", self.camera)

    def _microphone_lost(self, lost: bool) -> None:
        if not self._asks_consent:
            self._tell(BoxState.MICROPHONE_LOST, lost, "microphone", self.microphone)

    def _tell(self, state: BoxState, lost: bool, name: str, source: Camera | Microphone | None) -> None:
        if self._health.set(state, lost):
            reason = "" if source is None else source.reason
            _log.warning("the %s is lost: %s", name, reason) if lost else _log.info("the %s is back", name)
