"""The tables of a box's configuration about the queue system: which way its events come, and where in them stands what
is taken.

One way at a time: it posts to the box (`[queue] token_file`), it publishes to a broker (`[queue.mqtt]`), or it lets a
view of its data base be read (`[queue.view]`). In the last two the messages and rows are its own and may hold tickets
and names: the names of the members and columns that are taken stand here, and no other is looked at.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from edge.counters import Port, Section, is_loopback
from pipeline.language import Message

MAX_NAME = 40
"""Characters of a counter's name, as in `[[counter]] queue_id`."""
MAX_EVERY_S = 10.0
_IDENTIFIER = r"[^\W\d]\w*"
Named = Annotated[str, Field(max_length=100, pattern=r"^([\w-]+(\.[\w-]+)*)?$")]
"""A member of a message (`data.counter` for one within another), or a column."""
Words = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=MAX_NAME)], ...], Field(max_length=32)]


class ReachedSection(Section):
    """What a broker and a data base have in common: where it is, who the box is there, and who may read along."""

    password_file: Path | None = None
    """File (mode 0600) with the account's password; none: the account has none."""
    ca_file: Path | None = None
    """Certificates (PEM) by which the other side's is checked; none: those of the system."""
    network_closed: bool = False
    """Without encryption another machine is reached only where the operator states that nobody else is in that
    network."""
    counter: Named = ""
    """Member or column with the counter's name; empty: a box of one counter."""
    service_group: Named = ""
    """Member or column with the service's group, 0..255; empty: none is told."""
    event: Named = ""
    """Member or column that tells calls from ends; empty: all are calls."""
    starts: Words = ("start",)
    """Values of `event` that call a citizen."""
    ends: Words = ("end",)
    """Values of `event` that end a visit. Every other value is passed over."""

    @model_validator(mode="after")
    def _words(self) -> ReachedSection:
        if set(self.starts) & set(self.ends):
            raise ValueError(Message("the same word stands in starts and in ends"))
        return self


class QueueMqttSection(ReachedSection):
    """`[queue.mqtt]`: messages of a broker (MQTT 5), in JSON."""

    address: Annotated[str, Field(max_length=200)]
    """`mqtts://host:port`, or `mqtt://host:port` without encryption."""
    user: Annotated[str, Field(max_length=100)] = ""
    start_topic: Annotated[str, Field(min_length=1, max_length=200)]
    """Topic of the calls. One of its levels may be `+`: then the counter's name stands there."""
    end_topic: Annotated[str, Field(max_length=200)] = ""
    """Topic of the ends, where they have one of their own."""
    event_id: Named = ""
    """Member that no two calls share, as the message's number or its time; a message that comes twice is then known by
    it. Not the ticket: it may be called twice. Empty: the same message within five seconds is the same call."""
    sent_at: Named = ""
    """Member with the time of the call (seconds since 1970, or ISO 8601): older than a minute is passed over. Empty:
    not looked at."""

    @field_validator("address")
    @classmethod
    def _address(cls, address: str) -> str:
        return _checked_address(address, ("mqtt", "mqtts"), Message("an address reads mqtts://host:port"))

    @field_validator("start_topic", "end_topic")
    @classmethod
    def _topic(cls, topic: str) -> str:
        levels = topic.split("/")
        partly = any("+" in level and level != "+" for level in levels)
        if "#" in topic or "\0" in topic or levels.count("+") > 1 or partly:
            raise ValueError(Message("a topic is written out, but for one level that may be +"))
        return topic

    @model_validator(mode="after")
    def _consistent(self) -> QueueMqttSection:
        if self.start_topic == self.end_topic:
            raise ValueError(Message("calls and ends of one topic are told apart by event: leave end_topic out"))
        _refuse_open_network(self, urlsplit(self.address).scheme == "mqtts")
        return self

    @property
    def host(self) -> str:
        """The broker's."""
        return urlsplit(self.address).hostname or ""

    @property
    def port(self) -> int:
        """The broker's; 8883, and 1883 without encryption, where the address names none."""
        return urlsplit(self.address).port or (8883 if self.encrypted else 1883)

    @property
    def encrypted(self) -> bool:
        """Whether the connection is (TLS)."""
        return urlsplit(self.address).scheme == "mqtts"


class QueueViewSection(ReachedSection):
    """`[queue.view]`: new rows of a view, read every few seconds by an account that may only read."""

    database: Annotated[str, Field(max_length=300)]
    """`postgresql://user@host:port/name`, or `sqlite:///folder/file`."""
    view: Annotated[str, Field(max_length=127, pattern=rf"^{_IDENTIFIER}(\.{_IDENTIFIER})?$")]
    """Its name, with its schema where that is not the account's first."""
    number: Annotated[str, Field(max_length=63, pattern=rf"^{_IDENTIFIER}$")]
    """Column of whole numbers that only grow: a row is new where its number is."""
    every_s: Annotated[float, Field(ge=0.2, le=MAX_EVERY_S)] = 2.0
    """The view is read every so many seconds."""

    @field_validator("database")
    @classmethod
    def _database(cls, address: str) -> str:
        if re.match(r"^sqlite:///[^?#]+$", address):
            return address
        address = _checked_address(
            address,
            ("postgresql",),
            Message("a data base reads postgresql://user@host:port/name or sqlite:///folder/file"),
        )
        if not re.match(r"^/[\w.-]{1,63}$", urlsplit(address).path):
            raise ValueError(Message("a data base reads postgresql://user@host:port/name or sqlite:///folder/file"))
        return address

    @field_validator("counter", "service_group", "event")
    @classmethod
    def _column(cls, name: str) -> str:
        if name and not re.match(rf"^{_IDENTIFIER}\Z", name):
            raise ValueError(Message("a column's name is letters, digits and _"))
        return name

    @model_validator(mode="after")
    def _consistent(self) -> QueueViewSection:
        _refuse_open_network(self, self.ca_file is not None)
        return self

    @property
    def file(self) -> Path | None:
        """SQLite's file; None where it is PostgreSQL."""
        return Path(self.database.removeprefix("sqlite:///")) if self.database.startswith("sqlite:") else None

    @property
    def host(self) -> str:
        """The data base's; empty for a file."""
        return urlsplit(self.database).hostname or ""


class QueueSection(Section):
    """`[queue]`: events of the queue system, in one of three ways: by HTTP on the tablet's address or on one of their
    own, by a broker, by a view."""

    enabled: bool = False
    token_file: Path | None = None
    """By HTTP: file (mode 0600) with the shared token of at least 16 characters that the queue system sends as
    `X-Queue-Token`."""
    host: str = "127.0.0.1"
    port: Port | None = None
    """An address of the events' own, so that the queue system's network does not reach the tablet's page; none: the
    tablet's."""
    mqtt: QueueMqttSection | None = None
    view: QueueViewSection | None = None

    @model_validator(mode="after")
    def _one_way(self) -> QueueSection:
        ways = [each for each in (self.token_file, self.mqtt, self.view) if each is not None]
        if self.enabled and not ways:
            raise ValueError(Message("token_file is needed where enabled = true, or [queue.mqtt], or [queue.view]"))
        if self.enabled and len(ways) > 1:
            raise ValueError(
                Message("one way is enough: token_file, [queue.mqtt] or [queue.view]; two would tell each call twice")
            )
        return self

    @property
    def served_port(self) -> int | None:
        """Port at which events are taken apart from the tablet; None where there is none."""
        return self.port if self.enabled and self.token_file is not None else None

    @property
    def reached(self) -> QueueMqttSection | QueueViewSection | None:
        """What the box itself asks; None where the queue system comes to the box, or there is none."""
        return (self.mqtt or self.view) if self.enabled else None


def _checked_address(address: str, schemes: tuple[str, ...], sentence: Message) -> str:
    """An address with a host and no password, query or fragment. Raises `ValueError`."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise ValueError(sentence) from None
    if parts.password is not None:
        raise ValueError(Message("a password stands in password_file, not in an address"))
    is_broker = schemes[0] == "mqtt"
    if (
        parts.scheme not in schemes
        or not parts.hostname
        or port == 0
        or parts.query
        or parts.fragment
        or (is_broker and (parts.path or parts.username is not None))
    ):
        raise ValueError(sentence)
    return address


def _refuse_open_network(section: QueueMqttSection | QueueViewSection, encrypted: bool) -> None:
    """A password and who is called now are readable in such a network. Raises `ValueError`."""
    if section.host and not encrypted and not section.network_closed and not is_loopback(section.host):
        raise ValueError(
            Message(
                "another machine is reached with encryption (mqtts://, for a data base ca_file), or network_closed = "
                "true: the operator states that nobody else is in that network"
            )
        )
