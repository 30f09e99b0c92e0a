"""The one place where a box is wired. `Box.open` opens and checks everything; only then does `start` set anything in
motion."""

from __future__ import annotations

import logging
import secrets
import time
from contextlib import ExitStack
from datetime import date
from functools import partial
from typing import TYPE_CHECKING

from edge.capture.queue_calls import QueueCalls
from edge.capture.queue_events import QueueEvents, make_queue_app
from edge.capture.queue_reader import QueueReader, make_source, read_password
from edge.config import EdgeConfig
from edge.counters import CounterSection, is_loopback
from edge.data_folder import held_alone
from edge.delivery.enrolment import load_enrolment, own_keys
from edge.delivery.health import Health
from edge.delivery.instruments import Instruments
from edge.delivery.outbox import UNDATED, Outbox
from edge.delivery.scheduler import PeriodScheduler, RatingSchedule
from edge.delivery.sender import Sender, SenderSettings, require_record
from edge.hall_page import hall_state, make_hall_app
from edge.tablet.app import CounterTablet, TabletPages, make_app
from edge.tablet.counter import Counter
from edge.tablet.pairing import Pairing, pairing_of
from edge.tablet.serve import TabletServer
from edge.tablet.texts import notices_digest
from edge.version import SOFTWARE
from edge.worker import Worker
from pipeline import wire
from pipeline.calendar import day_at, day_date
from pipeline.errors import ClockError, KeyFileError
from pipeline.instruments.questionnaire import Questionnaire, make_questionnaire
from pipeline.keys import public_key_bytes
from pipeline.language import NOTHING, Message, Sentence
from pipeline.privacy.clock import SystemClock
from pipeline.privacy.release import ReleaseCurator
from pipeline.privacy.sealing import find_memory_folder, memory_folders
from pipeline.records import ClosedVisit
from pipeline.transparency.leaves import BasisLeaf, KeyLeaf, ModelLeaf, NoticeLeaf

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from edge.perception.analysis import Analysis
    from edge.perception.watched import Watched

_log = logging.getLogger(__name__)
TURN_S = 1.0
DEMO_TURN_S = 0.25
STOP_S = 30.0
"""So long the box waits for a turn of the scheduler or the sender that is going on."""


class Box:
    """One box at work. Made by `open`, which raises a `HailongError` and leaves nothing open where anything is
    wrong."""

    def __init__(self, config: EdgeConfig) -> None:
        self.config = config
        self.health = Health()
        self.visits = 0
        self._stack = ExitStack()
        self._started_s = time.monotonic()

    @classmethod
    def check(cls, config: EdgeConfig) -> None:
        """What can be known of a configuration while another box holds files and ports: raises a `HailongError` where
        `open` would."""
        config.privacy.require_staff_protection()
        own_keys(config)
        signing = load_enrolment(config).server_signing
        instruments = Instruments(config.box.data_dir / "instruments", signing)
        make_questionnaire(instruments.load(config.tablet.instrument), config.tablet.form)
        queue_token(config)
        if config.queue.reached is not None:
            read_password(config.queue.reached.password_file)
        require_record(config.server.record)
        if config.analysis_wanted:
            from edge.perception.analysis import network_options
            from edge.perception.networks import needed_models
            from models.catalogue import card, check_licence, model_files

            options = network_options(config)
            for name in needed_models(options):
                check_licence(card(name), options.accepted, options.demo)
                model_files(name)

    @classmethod
    def open(cls, config: EdgeConfig) -> Box:
        """Open every file, model, device and port. Nothing is analysed, sent or served yet."""
        box = cls(config)
        try:
            box._open()
        except BaseException:
            box._stack.close()
            raise
        return box

    def _open(self) -> None:
        config = self.config
        config.privacy.require_staff_protection()
        self.keys = own_keys(config)
        enrolment = load_enrolment(config)
        instruments = Instruments(config.box.data_dir / "instruments", enrolment.server_signing)
        questionnaire = make_questionnaire(instruments.load(config.tablet.instrument), config.tablet.form)
        self._instruments, self._asks_with = instruments, questionnaire.wire_code
        self._looked: date | None = None
        token = queue_token(config)
        require_record(config.server.record)
        clock = self._clock = SystemClock(assume_synchronised=config.box.demo)
        config.box.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._stack.enter_context(held_alone(config.box.data_dir))
        memory = find_memory_folder(memory_folders())
        if memory is None:
            _log.warning("No file system in memory was found: the outbox's file time tells when the last sheet came.")
        self.outbox = Outbox(
            config.box.data_dir / "outbox.sqlite3",
            enrolment.epoch,
            memory=memory,
            pools=config.privacy.rating_pools,
        )
        self._stack.callback(self.outbox.close)
        self.curator = ReleaseCurator(
            config.privacy,
            config.box.data_dir / "release.sqlite3",
            clock,
            self.keys,
            enrolment.epoch,
            identity=enrolment.identity,
            asks_consent=config.legal.asks_consent,
        )
        self._stack.callback(self.curator.close)
        self.analysis: Analysis | None = self._open_analysis() if self.analysis_due else None
        self.counters: dict[str, Counter] = {
            counter.name: self._make_counter(counter, questionnaire) for counter in config.counters
        }
        self._record_state()
        self.queue_reader = self._open_queue()
        self._open_pages(token)
        self.sender = Sender(
            SenderSettings(
                config.server.address,
                public_key_bytes(config.server.public_key),
                config.server.interval_s,
                config.server.slots,
                config.server.record,
                asks_reads=config.legal.asks_consent,
            ),
            self.keys,
            self.outbox,
            self._heartbeat,
            self.curator.anchor,
            instruments.take,
            self.health.failed("sender", wire.BoxState.STARTING),
            self.health.failed("files of the sender", wire.BoxState.DISK_FULL),
            self.curator.server_reads,
        )
        schedule = RatingSchedule(config.server.rating_hours, config.server.demo_rating_s if config.box.demo else None)
        self.scheduler = PeriodScheduler(
            self.curator, self.outbox, clock, schedule, self.health, config.privacy.seal_interval_s
        )
        self._scheduling = Worker(
            "scheduler",
            self._schedule,
            on_failed=self.health.failed("scheduler", wire.BoxState.STARTING),
            first_pause_s=TURN_S,
        )

    def _make_counter(self, counter: CounterSection, questionnaire: Questionnaire) -> Counter:
        """What a counter's tablet asks; its ratings go to its own pool."""
        watched, pool = self.watched(counter.name), self.config.pool_of(counter)
        return Counter(
            questionnaire,
            None if watched is None else watched.engine,
            lambda row: self.outbox.add_sheet(row, self._sheet_day(), pool),
            self.config.tablet.idle_s,
            partial(self._knows_visits, watched, counter.visits.by == "queue"),
        )

    @property
    def _called(self) -> dict[str, Counter]:
        """The counters by the names that the queue system gives them."""
        return {counter.called: self.counters[counter.name] for counter in self.config.counters}

    def _open_queue(self) -> QueueReader | None:
        """What asks the queue system itself; None where it comes to the box, or there is none."""
        reached = self.config.queue.reached
        if reached is None:
            return None
        calls = QueueCalls(self._called)
        source = make_source(reached, calls, lambda: self._clock.wall_s() if self._clock.trusted() else None)
        return QueueReader(source, calls, self.health.failed("queue", wire.BoxState.STARTING))

    def _sheet_day(self) -> int:
        return day_at(self._clock.wall_s()) if self._clock.trusted() else UNDATED

    def watched(self, name: str) -> Watched | None:
        """What sees and hears at a counter; None where nothing is analysed there."""
        return None if self.analysis is None else self.analysis.counters.get(name)

    def _open_pages(self, token: str | None) -> None:
        """The tablets' pages, at one address and at those of counters that have their own; the queue system's events
        beside them or at an address of their own."""
        config, queue = self.config, self.config.queue
        self.events = None if token is None else QueueEvents(self._called, token)
        self.pairings: dict[str, Pairing] = {}
        shared: list[CounterTablet] = []
        self.own_tablets: dict[str, TabletServer] = {}
        """By counter, where it has an address of its own."""
        for counter in config.counters:
            host = config.tablet_host(counter)
            if not is_loopback(host):
                self.pairings[counter.name] = pairing_of(config, counter)
            pages = TabletPages.of(config, counter, analysing=self.watched(counter.name) is not None)
            tablet = CounterTablet(pages, self.counters[counter.name], self.pairings.get(counter.name))
            if counter.tablet.port is None:
                shared.append(tablet)
            else:
                app = make_app(tablet, status=self.status, host=host)
                self.own_tablets[counter.name] = self._serve(app, host, counter.tablet.port, f"tablet {counter.name}")
        events = self.events if queue.port is None else None
        app = make_app(shared if config.counter else shared[0], events, self.status, config.tablet.host)
        self.tablet = self._serve(app, config.tablet.host, config.tablet.port, "tablet")
        self.queue: TabletServer | None = None
        if self.events is not None and queue.port is not None:
            self.queue = self._serve(make_queue_app(self.events, queue.host), queue.host, queue.port, "queue")

        self.technician: TabletServer | None = None
        if config.box.technician_port is not None:
            app = make_hall_app(lambda: hall_state(self), config.tablet.language)
            self.technician = self._serve(app, "127.0.0.1", config.box.technician_port, "technician")

    def _serve(self, app: Starlette, host: str, port: int, section: str) -> TabletServer:
        server = TabletServer(app, host, port, section, self.health.failed(section, wire.BoxState.STARTING))
        self._stack.callback(server.close)
        return server

    @property
    def servers(self) -> list[TabletServer]:
        """All that serves pages or takes events."""
        more = [each for each in (self.queue, self.technician) if each is not None]
        return [self.tablet, *self.own_tablets.values(), *more]

    def _schedule(self) -> None:
        self._keep_sheets()
        self.scheduler.turn()
        self._scheduling.wait(DEMO_TURN_S if self.config.box.demo else TURN_S)

    def _keep_sheets(self, *, all_of_them: bool = False) -> None:
        for counter in self.counters.values():
            counter.keep_due(all_of_them=all_of_them)

    def _open_analysis(self) -> Analysis:
        from edge.perception.analysis import Analysis

        analysis = Analysis(self.config, self._on_visit, self._on_started, self.health)
        self._stack.callback(analysis.close)
        return analysis

    def _record_state(self) -> None:
        """What of the configuration belongs into the transparency log; unchanged states add no leaf."""
        try:
            day = day_at(self._clock.wall_s())
        except ClockError:
            day = 0
        config = self.config
        self.curator.record(
            NoticeLeaf(day, config.notice.confirmed, opt_out_offered=True),
            BasisLeaf(
                day,
                config.legal.basis,
                notices_digest(config),
                config.legal.decision_number,
                str(config.legal.decision_date or ""),
                str(config.legal.last_check or ""),
            ),
            KeyLeaf(day, "box", self.keys.curve_public),
            KeyLeaf(day, "server", public_key_bytes(config.server.public_key)),
            *(
                ModelLeaf(day, name, digest)
                for name, digest in (self.analysis.model_digests() if self.analysis is not None else ())
            ),
        )

    @property
    def _today(self) -> date | None:
        """The day, None while the clock is not trusted."""
        return day_date(day_at(self._clock.wall_s())) if self._clock.trusted() else None

    @property
    def analysis_due(self) -> bool:
        """Whether anybody may be analysed now: sources, notice, and a legal basis that holds today. Where it differs
        from what the box was opened for, the box has to be opened anew."""
        return self.config.analysis_wanted and self.config.legal.allows(self._today)

    @property
    def instrument_due(self) -> bool:
        """Whether a signed version of the instrument has begun since the box was opened: it has to be opened anew.
        Looked at once a day, as soon as the day is known."""
        today = self._today
        if today is None or today == self._looked:
            return False
        self._looked = today
        newest = self._instruments.load(self.config.tablet.instrument, today)
        return newest.starts is not None and newest.wire_code != self._asks_with

    def _knows_visits(self, watched: Watched | None, by_queue: bool) -> bool:
        """Whether starts of visits are seen at a counter, or told. A queue system that is not heard tells none."""
        if self.config.queue.enabled and (self.queue_reader is None or self.queue_reader.is_heard):
            return True
        if watched is None or watched.camera_lost or by_queue:
            return False
        # where a touch begins a visit, nothing is known of whoever has touched nothing
        return not self.config.legal.asks_consent or watched.engine.visit_open

    def _on_started(self, name: str, number: int) -> None:
        self.counters[name].note_visit(number)

    def _on_visit(self, name: str, visit: ClosedVisit) -> None:
        self.visits += 1
        self.curator.count(visit, self._clock.wall_s(), name)

    def status(self) -> dict[str, str | bool]:
        """What the tablet's page tells at `/status`, for whoever looks after the box; nothing that visits move."""
        return {
            "state": self.health.state.name,
            "basis": self.config.legal.basis,
            "server_answers": self.sender.is_heard,
            "problem": self.curator.problem or self.sender.problem or str(self.queue_problem),
            "failing": ", ".join(self.health.failing),
            "notices": "" if self.analysis is None else " ".join(self.analysis.notices),
        }

    @property
    def queue_problem(self) -> Sentence:
        """Why no call reaches the box, where it asks for them itself; nothing of what was told."""
        return NOTHING if self.queue_reader is None else self.queue_reader.problem

    def _heartbeat(self) -> wire.Heartbeat:
        return wire.Heartbeat(
            version=1,
            epoch=self.outbox.epoch,
            sequence=0,
            nonce=secrets.randbits(64),
            state=self.health.state,
            software=SOFTWARE,
            provider=0 if self.analysis is None else self.analysis.provider,
        )

    # -- at work
    # ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Set everything in motion."""
        for sentence in self.config.warnings(self._today):
            _log.warning("%s", sentence)
        for name, pairing in self.pairings.items():
            code = pairing.ensure_code()
            if code:
                of = f" of counter {name}" if self.config.counter else ""
                _log.warning("a tablet%s waits to be paired: open the page on it and type the code %s", of, code)
        self.health.set(wire.BoxState.ANALYSIS_OFF, self.analysis is None)
        self.health.set(wire.BoxState.STARTING, False)
        for server in self.servers:
            server.start()
        if self.queue_reader is not None:
            self.queue_reader.start()
        self.sender.start()
        self._scheduling.start()
        if self.analysis is not None:
            self.analysis.start()

    def stop(self, flush_s: float = 0.0, for_good: bool = True) -> dict[str, int | float]:
        """Stop what looks and listens first, then hand on what is due, then close. Returns totals of what was sent.

        In a demo that ends for good, what runs is closed, handed to the outbox and sent for at most `flush_s`
        seconds."""
        self._keep_sheets(all_of_them=True)  # while their visits are open
        if self.queue_reader is not None:
            self.queue_reader.stop()
        if self.analysis is not None:
            self.analysis.stop()
        for server in reversed(self.servers):
            server.close()
        self._scheduling.stop(STOP_S)
        self._keep_sheets(all_of_them=True)
        if self.config.box.demo and for_good:
            self._finish_demo(flush_s)
        self.sender.stop()
        totals = self.totals()
        self._stack.close()
        return totals

    def _finish_demo(self, flush_s: float) -> None:
        end_s = time.monotonic() + flush_s
        while not self.curator.is_anchored and time.monotonic() < end_s:
            time.sleep(0.05)
        self.scheduler.finish_demo()
        if not self.sender.flush_demo(max(0.0, end_s - time.monotonic())):
            _log.warning("not everything was acknowledged within %.0f s; it waits in the outbox", flush_s)

    def totals(self) -> dict[str, int | float]:
        """What the end of a run tells: in a demo counts of messages, sheets and visits. Otherwise nothing that visits
        or ratings move, since it ends up in the journal: how long it ran, and how many messages the server refused."""
        duration_s = round(time.monotonic() - self._started_s, 1)
        sent = self.outbox.totals()
        if not self.config.box.demo:
            return {"duration_s": duration_s, "refused": sent["refused"]}
        ratings = sum(counter.tallies.forwarded for counter in self.counters.values())
        return {**sent, "duration_s": duration_s, "visits": self.visits, "ratings": ratings}


def queue_token(config: EdgeConfig) -> str | None:
    """The shared token of the queue system, None where its events are off. Raises `KeyFileError`."""
    path = config.queue.token_file
    if not config.queue.enabled or path is None:
        return None
    try:
        mode = path.stat().st_mode
        token = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise KeyFileError(
            Message("The queue system's token at {path} cannot be read.", path=path),
            Message("Write it there, mode 0600."),
        ) from None
    if mode & 0o077:
        raise KeyFileError(
            Message("The queue system's token at {path} can be read by others.", path=path),
            Message("Run: chmod 600 {path}.", path=path),
        )
    if len(token) < 16:
        raise KeyFileError(
            Message("The queue system's token is shorter than 16 characters."), Message("Make a longer one.")
        )
    return token
