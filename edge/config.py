"""The configuration of a box: one TOML file, read whole, refused whole.

An unknown key is refused with its line and the nearest known name; a wrong value with its place, what is allowed and
what stands there. Passwords in a camera's address are never shown (`edge.capture.redaction`).
"""

from __future__ import annotations

import difflib
import hashlib
import re
import tomllib
from datetime import date
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from edge.legal import HOW_TO_STATE_A_BASIS, NO_BASIS, LegalSection
from pipeline.enrolment import enrolment_address
from pipeline.errors import ConfigError, KeyFileError
from pipeline.fusion import FusionParameters
from pipeline.keys import public_key_bytes
from pipeline.language import DEFAULT, Message, languages
from pipeline.privacy.policy import PrivacyPolicy

Share = Annotated[float, Field(ge=0.0, le=1.0)]


def _language(code: str) -> str:
    if code not in languages():
        raise ValueError(f"is one of {', '.join(languages())}")
    return code


Port = Annotated[int, Field(ge=0, le=65_535)]
_ADDRESS = re.compile(r"^tcp://(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):\d{1,5}$")


class _Section(BaseModel):
    """A table of the file: unknown keys are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class BoxSection(_Section):
    """`[box]`: where the box keeps its files, and how it is named on its own pages."""

    data_dir: Path
    """Folder for keys, outbox, ledger and log; mode 0700. A relative path starts at the configuration file's folder."""
    agency_label: Annotated[str, Field(min_length=1, max_length=120)]
    """Shown on the tablet and the notice; never sent."""
    counter_label: Annotated[str, Field(max_length=60)] = ""
    clerks_meet: bool = False
    """Outside a demo a pulse is released only where the operator states that in every window of it two clerks or more
    serve at this box: where they take turns by the day, each day's pulse is one person's."""
    demo: bool = False
    """Demo: periods of seconds, the clock is taken as it is, everything is labelled simulated; the server takes it
    from demo boxes only."""


class CameraSection(_Section):
    """`[camera]`: one source and the citizen's region in its picture."""

    source: int | str
    """A device's number, a file, or an `rtsp://` address; "none" for a box without a camera."""
    region: tuple[tuple[Share, Share], ...] = ()
    """Polygon (x, y) in shares of width and height, within which the citizen is; applied before any model. Needed
    outside a demo: a camera that cannot see the civil servant has [[0, 0], [1, 0], [1, 1], [0, 1]]."""
    loop: bool = False
    """Demo: begin a file again at its end."""

    @field_validator("region")
    @classmethod
    def _polygon(cls, region: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
        if region and len(region) < 3:
            raise ValueError("a polygon has at least three corners")
        return region


class MicrophoneSection(_Section):
    """`[microphone]`: one source and the citizen's channel."""

    source: int | str = "none"
    """A device's number or name, or a file; "none" for a box without a microphone."""
    channel: Annotated[int, Field(ge=0, le=31)] = 0
    """The channel on the citizen's side; chosen before any model, the others are not read."""
    staff_not_heard: bool = False
    """Outside a demo a microphone is opened only where the operator states that this channel does not carry the civil
    servant's voice (a directed or shielded microphone on the citizen's side)."""
    loop: bool = False


class VisitSection(_Section):
    """`[visit]`: what starts and ends a visit."""

    by: Literal["presence", "queue"] = "presence"
    """`presence` of a face in the region, or the queue system's events (`[queue]`)."""
    prior: tuple[float, float, float] = FusionParameters().prior
    """The counter's prior of negative, neutral and positive, mostly neutral: three shares of at least 0.01 that sum to
    1 (docs/fusion.md). `hailong analyze --json` names the learnt one where pairs are enough."""

    @field_validator("prior")
    @classmethod
    def _is_a_prior(cls, prior: tuple[float, float, float]) -> tuple[float, float, float]:
        try:
            return FusionParameters(prior=prior).prior
        except ConfigError as error:
            raise ValueError(error.message) from None


class NoticeSection(_Section):
    """`[notice]`: whether the notice hangs at the counter. Without it nothing is analysed."""

    confirmed: bool = False
    """True once the printed notice hangs where the citizen reads it before the counter. While false the box takes
    ratings only."""
    url: Annotated[str, Field(max_length=200, pattern=r"^(https?://.*)?$")] = ""
    """Page with the full explanation, as QR code on the notice. Empty: the tablet's own page."""
    contact: Annotated[str, Field(max_length=200)] = ""
    """Who answers questions and objections (office, telephone). Needed where the notice is confirmed."""


class TabletSection(_Section):
    """`[tablet]`: the page at the counter."""

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
    """Without a touch for so long, the page goes back to its start and what was answered is forgotten."""

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches the page."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


class QueueSection(_Section):
    """`[queue]`: events of the queue system by HTTP, on the tablet's address or on one of their own."""

    enabled: bool = False
    token_file: Path | None = None
    """File (mode 0600) with the shared token of at least 16 characters that the queue system sends as
    `X-Queue-Token`."""
    host: str = "127.0.0.1"
    port: Port | None = None
    """An address of the events' own, so that the queue system's network does not reach the tablet's page; none: the
    tablet's."""

    @model_validator(mode="after")
    def _token(self) -> QueueSection:
        if self.enabled and self.token_file is None:
            raise ValueError("token_file is needed where enabled = true")
        return self


class ServerSection(_Section):
    """`[server]`: where releases go and when. Times are fixed: what is sent when tells nothing about visits."""

    address: str
    """`tcp://host:port` of the server's ingest."""
    public_key: str
    """The server's CURVE public key (Z85, 40 characters), as `hailong server enroll` prints it."""
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
            raise ValueError("an address reads tcp://host:port")
        return address

    @field_validator("public_key")
    @classmethod
    def _public_key(cls, key: str) -> str:
        try:
            public_key_bytes(key)
        except KeyFileError as error:
            raise ValueError(str(error)) from None
        return key

    def enrolment_address(self) -> str:
        """Where a one-time code is shown."""
        return self.enrol_address or enrolment_address(self.address)


class ModelsSection(_Section):
    """`[models]`: which weights may be used."""

    licences: tuple[str, ...] = ()
    """Names of restricted licences that the operator accepts (`hailong models list`)."""
    asr: bool = False
    """Recognise words (needs the package extra `edge-asr`)."""
    face: Literal["face-affect", "fer", "face-geometry"] = "face-affect"
    """What reads faces. `face-geometry` needs no restricted licence, and sees little but smiles."""


class EdgeConfig(_Section):
    """The whole file."""

    box: BoxSection
    camera: CameraSection
    microphone: MicrophoneSection = MicrophoneSection()
    legal: LegalSection
    """Without a default (`edge.legal.NO_BASIS`)."""
    visit: VisitSection = VisitSection()
    notice: NoticeSection = NoticeSection()
    privacy: PrivacyPolicy = PrivacyPolicy()
    tablet: TabletSection = TabletSection()
    queue: QueueSection = QueueSection()
    server: ServerSection
    models: ModelsSection = ModelsSection()

    @model_validator(mode="after")
    def _consistent(self) -> EdgeConfig:
        if self.box.demo != self.privacy.demo:
            raise ValueError("[box] demo and [privacy] demo must be the same")
        if self.visit.by == "queue" and not self.queue.enabled:
            raise ValueError('[visit] by = "queue" needs [queue] enabled = true')
        if self.visit.by == "presence" and self.camera.source == "none" and self.microphone.source != "none":
            raise ValueError('[visit] by = "presence" needs a camera: with a microphone alone it is by = "queue"')
        if self.notice.confirmed and not self.notice.contact.strip():
            raise ValueError("[notice] contact is needed where confirmed = true: the citizen has to know whom to ask")
        if self.privacy.pools:
            raise ValueError("[[privacy.pools]]: this version has one counter a box, and so one pool")
        if not self.box.demo:
            self._refuse_what_staff_or_strangers_could_suffer()
        return self

    def _refuse_what_staff_or_strangers_could_suffer(self) -> None:
        """Refusals, not warnings: nobody reads a warning at a counter."""
        if self.privacy.clerks >= 2 and self.privacy.pulse_epsilon_milli and not self.box.clerks_meet:
            raise ValueError(
                "[box] clerks_meet = true is needed for a pulse: the operator states that two clerks or more serve in "
                "every window of it; where they take turns, set [privacy] pulse_epsilon_milli = 0"
            )
        if self.camera.source != "none" and not self.camera.region:
            raise ValueError(
                "[camera] region is needed, so that the civil servant is never looked at; where the camera cannot see "
                "the civil servant, it is [[0, 0], [1, 0], [1, 1], [0, 1]]"
            )
        if self.microphone.source != "none" and not self.microphone.staff_not_heard:
            raise ValueError(
                "[microphone] staff_not_heard = true is needed: the operator states that the channel does not carry "
                "the civil servant's voice"
            )
        if not self.tablet.is_loopback and not self.tablet.network_closed:
            raise ValueError(
                "[tablet] network_closed = true is needed for an address that is not this machine's own: the operator "
                "states that nobody but the tablet reaches it"
            )

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
        """Whether a camera or a microphone is named."""
        return self.camera.source != "none" or self.microphone.source != "none"

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
            Message("{name} is not TOML: {error}.", name=path.name, error=error), Message("Correct that line.")
        ) from None
    return parse_config(values, text, path)


def parse_config(values: dict[str, Any], text: str, path: Path) -> EdgeConfig:
    """Check values that were read from `text`; relative paths start at `path`'s folder. Raises `ConfigError`."""
    try:
        config = EdgeConfig.model_validate(values)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
        found = [_describe(each, text) for each in errors]
        unstated = any(_is_unstated_basis(each) for each in errors)
        raise ConfigError(
            Message("{name}: {found}", name=path.name, found=" ".join(found)),
            HOW_TO_STATE_A_BASIS if unstated else Message("Nothing was started."),
        ) from None
    folder = path.resolve().parent
    box = config.box.model_copy(update={"data_dir": _absolute(config.box.data_dir, folder)})
    queue = config.queue
    if queue.token_file is not None:
        queue = queue.model_copy(update={"token_file": _absolute(queue.token_file, folder)})
    camera = config.camera.model_copy(update={"source": _source(config.camera.source, folder)})
    microphone = config.microphone.model_copy(update={"source": _source(config.microphone.source, folder)})
    server = config.server
    if server.record is not None:
        server = server.model_copy(update={"record": _absolute(server.record, folder)})
    return config.model_copy(
        update={"server": server, "box": box, "queue": queue, "camera": camera, "microphone": microphone}
    )


def _absolute(path: Path, folder: Path) -> Path:
    path = path.expanduser()
    return path if path.is_absolute() else folder / path


def _source(source: int | str, folder: Path) -> int | str:
    """A file's path is made absolute; numbers, names and addresses stay."""
    if isinstance(source, int) or "://" in source:
        return source
    path = _absolute(Path(source), folder)
    return str(path) if path.is_file() else source


def _is_unstated_basis(error: Any) -> bool:
    return error["type"] == "missing" and error["loc"] in (("legal",), ("legal", "basis"))


def _describe(error: Any, text: str) -> str:
    """One of pydantic's errors as a sentence with a line number; the wrong value is not repeated (it may be a
    secret)."""
    place = [part for part in error["loc"] if isinstance(part, str)]
    name = ".".join(str(part) for part in error["loc"]) or "the file"
    line = _line_of(place, text)
    where = f"line {line}: " if line else ""
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(place[-1], _known_names(place[:-1]), n=1, cutoff=0.5)
        hint = f" Did you mean {near[0]!r}?" if near else f" Known here: {', '.join(_known_names(place[:-1]))}."
        return f"{where}{name!r} is not known.{hint}"
    if _is_unstated_basis(error):
        return str(NO_BASIS)
    if error["type"] == "missing":
        return f"{name!r} is missing."
    return f"{where}{name}: {error['msg'].removeprefix('Value error, ')}."


def _known_names(place: list[str]) -> list[str]:
    model: Any = EdgeConfig
    for part in place:
        field = getattr(model, "model_fields", {}).get(part)
        if field is None:
            return []
        model = field.annotation
    return sorted(getattr(model, "model_fields", {}))


def _line_of(place: list[str], text: str) -> int | None:
    """Line of a key in the file: the key within its table's header, as TOML is usually written."""
    if not place:
        return None
    table, key = (place[0], place[1]) if len(place) > 1 else (None, place[0])
    current: str | None = None
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"^\s*\[\s*([^\]]+?)\s*\]", line)
        if header:
            current = header[1].strip("\"'")
            if table is None and current == key:
                return number
        elif current == table and re.match(rf"^\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
            return number
    return None
