"""The configuration of a box: one TOML file, read whole, refused whole.

An unknown key is refused with its line and the nearest known name; a wrong value with its place, what is allowed and
what stands there. Passwords in a camera's address are never shown (`edge.capture.redaction`).
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError, field_validator, model_validator

from edge.config_complaints import describe, is_unstated_basis
from edge.counters import (
    MAX_COUNTERS,
    ONLY,
    CameraSection,
    CounterSection,
    MicrophoneSection,
    Port,
    Section,
    VisitSection,
    is_loopback,
    refuse_clashes,
    refuse_what_cannot_work,
    refuse_what_staff_could_suffer,
)
from edge.legal import HOW_TO_STATE_A_BASIS, LegalSection
from edge.queue_section import QueueSection
from edge.quiet import UpdateSection
from pipeline.bad_values import words_of_toml
from pipeline.enrolment import enrolment_address
from pipeline.errors import ConfigError, KeyFileError
from pipeline.keys import public_key_bytes
from pipeline.language import DEFAULT, Joined, Message, Sentence, languages
from pipeline.privacy.policy import PrivacyPolicy


def _language(code: str) -> str:
    if code not in languages():
        raise ValueError(Message("must be one of {words}", words=", ".join(languages())))
    return code


_ADDRESS = re.compile(r"^tcp://(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):\d{1,5}$")


class BoxSection(Section):
    """`[box]`: where the box keeps its files, and how it is named on its own pages."""

    data_dir: Path
    """Folder for keys, outbox, ledger and log; mode 0700. A relative path starts at the configuration file's folder."""
    agency_label: Annotated[str, Field(min_length=1, max_length=120)]
    """Shown on the tablet and the notice; never sent."""
    counter_label: Annotated[str, Field(max_length=60)] = ""
    clerks_meet: bool = False
    """Outside a demo a pulse is released only where the operator states that in every window of it two clerks or more
    serve at this box: where they take turns by the day, each day's pulse is one person's."""
    technician_port: Port | None = None
    """Port of the technician's page (how every counter is, without a picture), on this machine's own address alone;
    none: no page. 0 takes a free one."""
    demo: bool = False
    """Demo: periods of seconds, the clock is taken as it is, everything is labelled simulated; the server takes it
    from demo boxes only."""


class NoticeSection(Section):
    """`[notice]`: whether the notice hangs at the counter. Without it nothing is analysed."""

    confirmed: bool = False
    """True once the printed notice hangs where the citizen reads it before the counter. While false the box takes
    ratings only."""
    url: Annotated[str, Field(max_length=200, pattern=r"^(https?://.*)?$")] = ""
    """Page with the full explanation, as QR code on the notice. Empty: the tablet's own page."""
    contact: Annotated[str, Field(max_length=200)] = ""
    """Who answers questions and objections (office, telephone). Needed where the notice is confirmed."""


class TabletSection(Section):
    """`[tablet]`: the page at the counter; of a hall, the pages of all counters that have no address of their own."""

    host: str = "127.0.0.1"
    network_closed: bool = False
    """Outside a demo another address than this machine's own is served only where the operator states that nobody but
    the tablet reaches it: it is paired by a code, but the network has no encryption."""
    port: Port = 8090
    instrument: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")] = "2640"
    """Code of the instrument whose kiosk questions are asked; its newest version on this box."""
    form: Literal["one", "short", "kiosk"] = "short"
    """`one`: the overall question; `short`, `kiosk`: those of the instrument. Reasons are asked at 3 or below."""
    language: Annotated[str, AfterValidator(_language)] = DEFAULT
    """Of the first page: one of the catalogues of `pipeline/language`."""
    idle_s: Annotated[int, Field(ge=5, le=300)] = 30
    """Without a touch for so long, the page goes back to its start; the overall answer is kept, others are not."""

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches the page."""
        return is_loopback(self.host)


class ServerSection(Section):
    """`[server]`: where releases go and when. Times are fixed: what is sent when tells nothing about visits."""

    address: str
    """`tcp://host:port` of the server's ingest."""
    public_key: str
    """The server's CURVE public key (Z85, 40 characters), as `hailong-server enroll` prints it."""
    enrol_address: str = ""
    """`tcp://host:port` of the server's enrolment; empty: the port after `address`."""
    interval_s: Annotated[float, Field(ge=0.2, le=3_600)] = 300.0
    """One burst of messages every so many seconds."""
    slots: Annotated[int, Field(ge=2, le=64)] = 4
    """Messages of a burst, always: heartbeats fill what the outbox leaves free."""
    rating_hours: Annotated[tuple[Annotated[int, Field(ge=0, le=23)], ...], Field(min_length=1)] = (12, 18)
    """Hours (Indochina time) at which the answer sheets of days that are over are put into batches."""
    record: Path | None = None
    """Where every message is recorded as it is handed to the network, for `hailong audit wire`; none: no record."""
    demo_rating_s: Annotated[float, Field(ge=0.5, le=3_600)] = 5.0
    """Demo only: batches every so many seconds."""

    @field_validator("address", "enrol_address")
    @classmethod
    def _address(cls, address: str) -> str:
        if address and not _ADDRESS.match(address):
            raise ValueError(Message("an address reads tcp://host:port"))
        return address

    @field_validator("public_key")
    @classmethod
    def _public_key(cls, key: str) -> str:
        try:
            public_key_bytes(key)
        except KeyFileError as error:
            raise ValueError(Message("{reason}", reason=error.message)) from None
        return key

    def enrolment_address(self) -> str:
        """Where a one-time code is shown."""
        return self.enrol_address or enrolment_address(self.address)


class ModelsSection(Section):
    """`[models]`: which weights may be used."""

    licences: tuple[str, ...] = ()
    """Names of restricted licences that the operator accepts (`hailong models list`)."""
    asr: bool = False
    """Recognise words (needs the package extra `edge-asr`)."""
    face: Literal["face-affect", "fer", "face-geometry"] = "face-affect"
    """What reads faces. `face-geometry` needs no restricted licence, and sees little but smiles."""


class EdgeConfig(Section):
    """The whole file."""

    box: BoxSection
    camera: CameraSection | None = None
    """Of a box of one counter; a hall's counters have cameras of their own."""
    microphone: MicrophoneSection = MicrophoneSection()
    legal: LegalSection
    """Without a default (`edge.legal.NO_BASIS`)."""
    visit: VisitSection = VisitSection()
    notice: NoticeSection = NoticeSection()
    privacy: PrivacyPolicy = PrivacyPolicy()
    tablet: TabletSection = TabletSection()
    queue: QueueSection = QueueSection()
    server: ServerSection
    update: UpdateSection = UpdateSection()
    models: ModelsSection = ModelsSection()
    counter: Annotated[tuple[CounterSection, ...], Field(max_length=MAX_COUNTERS)] = ()
    """The counters of a hall, in place of `[camera]` and `[microphone]`; none: a box of one counter."""

    @model_validator(mode="before")
    @classmethod
    def _count_in_pools(cls, values: Any) -> Any:
        """A counter names its agency; the pool of that agency gets the counter's name. What is not of the right kind is
        left for the fields to refuse."""
        try:
            counters, pools = values.get("counter") or [], values["privacy"]["pools"]
            filled = [{**pool, "counters": _counters_of(pool, counters)} for pool in pools]
        except (AttributeError, KeyError, TypeError):
            return values
        return {**values, "privacy": {**values["privacy"], "pools": filled}}

    @model_validator(mode="after")
    def _consistent(self) -> EdgeConfig:
        if self.box.demo != self.privacy.demo:
            raise ValueError(Message("[box] demo and [privacy] demo must be the same"))
        if self.counter:
            self._refuse_what_two_forms_say()
            refuse_clashes(self.counter)
            self._refuse_taken_addresses()
        elif self.camera is None:
            raise ValueError(
                Message('[camera] is missing: source = "none" where there is none, or [[counter]] for each counter')
            )
        self._refuse_unknown_pools()
        for counter in self.counters:
            refuse_what_cannot_work(counter, self.queue.enabled, self._where(counter))
        if self.notice.confirmed and not self.notice.contact.strip():
            raise ValueError(
                Message("[notice] contact is needed where confirmed = true: the citizen has to know whom to ask")
            )
        if not self.box.demo:
            self._refuse_what_staff_or_strangers_could_suffer()
        return self

    def _where(self, counter: CounterSection) -> str:
        return Message("counter {name}: ", name=counter.name) if self.counter else ""

    def _refuse_what_two_forms_say(self) -> None:
        twice = [f"[{name}]" for name in ("camera", "microphone") if name in self.model_fields_set]
        twice += ["[box] counter_label"] * bool(self.box.counter_label)
        if twice:
            raise ValueError(
                Message("with [[counter]] tables there is no {names}: each counter has its own", names=", ".join(twice))
            )

    def _refuse_taken_addresses(self) -> None:
        """Two servers on one port. Port 0 takes a free one."""
        taken = {(self.tablet.host, self.tablet.port): "[tablet]"}
        if self.queue.served_port is not None:
            taken[self.queue.host, self.queue.served_port] = "[queue]"
        for counter in self.counter:
            place = (counter.tablet.host or self.tablet.host, counter.tablet.port or 0)
            if place[1] and place in taken:
                raise ValueError(
                    Message(
                        "counter {name}: its tablet address is that of {other}", name=counter.name, other=taken[place]
                    )
                )
            taken[place] = f"counter {counter.name}"

    def _refuse_unknown_pools(self) -> None:
        pools = self.privacy.pools
        if not self.counter:
            if pools:
                raise ValueError(
                    Message("[[privacy.pools]] need [[counter]] tables: a box of one counter has one pool")
                )
            return
        agencies = [pool.agency for pool in pools if pool.agency]
        for agency in agencies:
            if agencies.count(agency) > 1:
                raise ValueError(Message("two pools have the agency '{agency}'", agency=agency))
        of = {name: pool for pool in pools for name in pool.counters}
        for counter in self.counter:
            pool = of.pop(counter.name, None)
            of_no_pool = bool(pools) and pool is None
            if of_no_pool or (counter.agency and (pool is None or pool.agency != counter.agency)):
                what = Message("it is in no pool")
                if pool is not None:
                    what = Message(
                        "it is in pool {number}, which is not that of the agency '{agency}'",
                        number=pool.number,
                        agency=counter.agency,
                    )
                elif counter.agency:
                    what = Message("the agency '{agency}' is of no pool", agency=counter.agency)
                raise ValueError(
                    Message(
                        "counter {name}: {what} ([[privacy.pools]] agency: {known})",
                        name=counter.name,
                        what=what,
                        known=", ".join(agencies) or "–",
                    )
                )
        for name, pool in of.items():
            raise ValueError(
                Message(
                    "pool {number} has a counter '{name}', and there is no [[counter]] of that name",
                    number=pool.number,
                    name=name,
                )
            )

    def _refuse_what_staff_or_strangers_could_suffer(self) -> None:
        """Refusals, not warnings: nobody reads a warning at a counter."""
        if self.privacy.clerks >= 2 and self.privacy.pulse_epsilon_milli and not self.box.clerks_meet:
            raise ValueError(
                Message(
                    "[box] clerks_meet = true is needed for a pulse: the operator states that two clerks or more serve "
                    "in every window of it; where they take turns, set [privacy] pulse_epsilon_milli = 0"
                )
            )
        for counter in self.counters:
            refuse_what_staff_could_suffer(counter, self._where(counter))
        if not self.tablet.network_closed and not all(is_loopback(host) for host in self.tablet_hosts):
            raise ValueError(
                Message(
                    "[tablet] network_closed = true is needed for an address that is not this machine's own: the "
                    "operator states that nobody but the tablet reaches it"
                )
            )

    @property
    def counters(self) -> tuple[CounterSection, ...]:
        """The box's counters: those of the `[[counter]]` tables, or the one of the single form."""
        if self.counter:
            return tuple(each.model_copy(update={"visit": each.visit or self.visit}) for each in self.counter)
        assert self.camera is not None
        return (
            CounterSection(
                name=ONLY,
                label=self.box.counter_label,
                camera=self.camera,
                microphone=self.microphone,
                visit=self.visit,
            ),
        )

    def counter_named(self, name: str) -> CounterSection:
        """A counter by its name; the only one, where none is named. Raises `ConfigError`."""
        names = [counter.name for counter in self.counters]
        if not name and len(names) == 1:
            (name,) = names
        if name not in names:
            raise ConfigError(
                Message("There is no counter '{name}' at this box.", name=name),
                Message("Name one of: {names}.", names=", ".join(names)),
            )
        return self.counters[names.index(name)]

    @property
    def tablet_hosts(self) -> tuple[str, ...]:
        """Addresses at which tablets' pages are served, the shared one first."""
        return tuple(dict.fromkeys([self.tablet.host, *(self.tablet_host(each) for each in self.counters)]))

    def tablet_host(self, counter: CounterSection) -> str:
        """Address at which the counter's page is served."""
        return counter.tablet.host if counter.tablet.port is not None and counter.tablet.host else self.tablet.host

    def pool_of(self, counter: CounterSection) -> int:
        """Number of the counter's own pool, whatever that joins: that of its ratings."""
        return next((pool.number for pool in self.privacy.pools if counter.name in pool.counters), 1)

    @property
    def keys_dir(self) -> Path:
        """Folder of the box's keys."""
        return self.box.data_dir / "keys"

    @property
    def analysis_wanted(self) -> bool:
        """Whether anything is looked at or listened to: a source is named and the notice is confirmed."""
        return self.notice.confirmed and self.has_source

    @property
    def has_source(self) -> bool:
        """Whether a camera or a microphone is named, at any counter."""
        return any(counter.has_source for counter in self.counters)

    def digest(self) -> bytes:
        """SHA-256 (32 bytes) of the configuration as read, for the transparency log; the file's comments do not
        count."""
        return hashlib.sha256(self.model_dump_json().encode()).digest()

    def warnings(self, today: date | None) -> list[str]:
        """What is allowed but should be known, as sentences. `today`: None where the clock is not trusted."""
        legal = self.legal.warning(today) if self.has_source else None
        found: list[str] = [] if legal is None else [legal]
        if self.has_source and not self.notice.confirmed:
            found.append(Message("The notice is not confirmed: nothing is analysed, the tablet takes ratings only."))
        if self.box.demo:
            found.append(Message("This is a demo: periods are seconds long and everything is labelled simulated."))
        return found


def _counters_of(pool: dict[str, Any], counters: list[dict[str, Any]]) -> list[str]:
    """Names of a pool's counters as the file gives them: those that it lists, and those that name its agency."""
    agency = pool.get("agency") or None
    found = [*pool.get("counters", ()), *(each["name"] for each in counters if each.get("agency") == agency and agency)]
    return list(dict.fromkeys(found))


def load_config(path: Path) -> EdgeConfig:
    """Read and check a file. Raises `ConfigError` that names the line, the key and the fix; nothing else of the box
    has begun by then."""
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise ConfigError(
            Message("There is no configuration at {path}.", path=path), Message("Write one: see docs/guide/edge.toml.")
        ) from None
    except (OSError, UnicodeDecodeError):
        raise ConfigError(
            Message("The configuration {path} cannot be read.", path=path),
            Message("It is a text file in UTF-8; check its owner."),
        ) from None
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            Message("{name} is not TOML: {error}.", name=path.name, error=words_of_toml(error)),
            Message("Correct that line."),
        ) from None
    return parse_config(values, text, path)


def parse_config(values: dict[str, Any], text: str, path: Path) -> EdgeConfig:
    """Check values that were read from `text`; relative paths start at `path`'s folder. Raises `ConfigError`."""
    try:
        config = EdgeConfig.model_validate(values)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
        found = Joined([describe(each, text, EdgeConfig) for each in errors], " ")
        unstated = any(is_unstated_basis(each) for each in errors)
        raise ConfigError(
            Message("{name}: {found}", name=path.name, found=found),
            HOW_TO_STATE_A_BASIS if unstated else Message("Nothing was started."),
        ) from None
    folder = path.resolve().parent
    box = config.box.model_copy(update={"data_dir": _absolute(config.box.data_dir, folder)})
    queue = _queue(config.queue, folder)
    server = config.server
    if server.record is not None:
        server = server.model_copy(update={"record": _absolute(server.record, folder)})
    update: dict[str, Any] = {"server": server, "box": box, "queue": queue}
    update["counter"] = tuple(each.model_copy(update=_sources(each, folder)) for each in config.counter)
    if config.camera is not None:
        update |= _sources(config, folder)
    return config.model_copy(update=update)


def complaints(values: dict[str, Any]) -> list[tuple[str, Sentence]]:
    """What the reader finds wrong with values, each with the table that it is about: empty where it is about how
    several go together, which is looked at when each is right by itself."""
    try:
        EdgeConfig.model_validate(values)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
        return [(str(each["loc"][0]) if each["loc"] else "", describe(each, "", EdgeConfig)) for each in errors]
    return []


def _sources(of: CounterSection | EdgeConfig, folder: Path) -> dict[str, Any]:
    """Camera and microphone with absolute paths."""
    return {
        name: part.model_copy(update={"source": _source(part.source, folder)})
        for name, part in (("camera", of.camera), ("microphone", of.microphone))
        if part is not None
    }


def _queue(queue: QueueSection, folder: Path) -> QueueSection:
    """The queue system's tables with absolute paths."""
    update: dict[str, Any] = {}
    if queue.token_file is not None:
        update["token_file"] = _absolute(queue.token_file, folder)
    for name, part in (("mqtt", queue.mqtt), ("view", queue.view)):
        if part is not None:
            paths = {key: getattr(part, key) for key in ("password_file", "ca_file")}
            update[name] = part.model_copy(
                update={key: _absolute(path, folder) for key, path in paths.items() if path is not None}
            )
    if queue.view is not None and queue.view.file is not None:
        file = f"sqlite:///{_absolute(queue.view.file, folder)}"
        update["view"] = update["view"].model_copy(update={"database": file})
    return queue.model_copy(update=update)


def _absolute(path: Path, folder: Path) -> Path:
    path = path.expanduser()
    return path if path.is_absolute() else folder / path


def _source(source: int | str, folder: Path) -> int | str:
    """A file's path is made absolute; numbers, names and addresses stay."""
    if isinstance(source, int) or "://" in source:
        return source
    path = _absolute(Path(source), folder)
    return str(path) if path.is_file() else source
