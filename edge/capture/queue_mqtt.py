"""The connection to the queue system's broker: MQTT 5 by Eclipse Paho, on the reader's own thread.

Every connection begins anew, so that the broker keeps nothing for the box while it is away; kept messages are not
wanted, nor any larger than a call can be. A broker that speaks no MQTT 5 is refused: it could not be told so.
"""

from __future__ import annotations

import importlib
import ssl
import time
import weakref
from typing import Any

from edge.capture.queue_messages import MAX_MESSAGE_BYTES, QueueMessages
from edge.queue_section import QueueMqttSection
from pipeline.errors import ConfigError, SourceError
from pipeline.language import Message

ANSWER_S = 10.0
"""So long the broker has to let the box in."""
LISTEN_S = 0.25
KEEPALIVE_S = 20
MAX_UNANSWERED = 16
"""Messages that the broker may send before the first is taken: a flood waits there, not here."""
_AT_LEAST_ONCE = 1
_FAILURE = 128
"""Reason codes from here on are refusals (MQTT 5.0, 2.4)."""


class QueueMqtt:
    """See the module. `messages`: where messages go; `password`: of the account.

    Raises `ConfigError` where the package is missing."""

    def __init__(self, section: QueueMqttSection, messages: QueueMessages, password: str | None = None) -> None:
        self._paho = _paho("client")
        self._section, self._messages, self._password = section, messages, password
        self._client: Any = None
        self._trust: _Trust | None = None
        self._answer: int | None = None
        self._granted: list[int] | None = None

    def open(self) -> None:
        """Connect and subscribe. Raises `SourceError`."""
        self.close()
        section, self._answer, self._granted = self._section, None, None
        client = self._paho.Client(self._paho.CallbackAPIVersion.VERSION2, protocol=self._paho.MQTTv5)
        client.on_connect, client.on_subscribe, client.on_message = self._connected, self._subscribed, self._message
        client.connect_timeout = ANSWER_S
        _bound(client)
        if section.user:
            client.username_pw_set(section.user, self._password)
        self._client = client
        if section.encrypted:
            self._trust = _trust(section)
            client.tls_set_context(self._trust)
        try:
            client.connect(section.host, section.port, KEEPALIVE_S, clean_start=True, properties=_wishes())
        except ssl.SSLCertVerificationError:
            raise SourceError(
                Message("The certificate of the broker {host} cannot be trusted.", host=section.host),
                Message("Set [queue.mqtt] ca_file to the certificate of who signed it, and address to its name."),
            ) from None
        except (OSError, ValueError):
            raise self._silent() from None
        self._wait_for(lambda: self._answer is not None)
        if self._answer:
            raise SourceError(
                Message("The broker {host} refuses the box.", host=section.host),
                Message("Check [queue.mqtt] user and password_file, and that it speaks MQTT 5."),
            )
        options = _paho("subscribeoptions").SubscribeOptions
        wanted = options(qos=_AT_LEAST_ONCE, retainHandling=options.RETAIN_DO_NOT_SEND)
        topics = [topic for topic in (section.start_topic, section.end_topic) if topic]
        client.subscribe([(topic, wanted) for topic in topics])
        self._wait_for(lambda: self._granted is not None)
        granted: list[int] = self._granted or []
        refused = [topic for topic, code in zip(topics, granted, strict=False) if code >= _FAILURE]
        if refused:
            raise SourceError(
                Message("The broker {host} does not let the box read {topic}.", host=section.host, topic=refused[0]),
                Message("Its administrator allows the account to read that topic."),
            )

    def read(self) -> float:
        """Listen for a moment, and hand on what comes. Raises `SourceError`."""
        self._listen(LISTEN_S)
        return 0.0

    def close(self) -> None:
        """Say good-bye, as far as the broker hears."""
        client, self._client = self._client, None
        if client is not None:
            client.on_connect = client.on_subscribe = client.on_message = None
            client.disconnect()
        if self._trust is not None:
            self._trust.close()

    def _wait_for(self, is_there: Any) -> None:
        end_s = time.monotonic() + ANSWER_S
        while not is_there():
            if time.monotonic() > end_s:
                raise self._silent()
            self._listen(LISTEN_S, is_there)

    def _listen(self, seconds: float, is_there: Any = lambda: False) -> None:
        code = self._client.loop(seconds)
        if self._client._in_messages:  # of another kind than was asked for: each would be kept until it is confirmed
            raise self._silent()
        if code != self._paho.MQTT_ERR_SUCCESS and not is_there():
            raise self._silent()

    def _silent(self) -> SourceError:
        return SourceError(
            Message(
                "The broker {host} does not answer on port {port}.", host=self._section.host, port=self._section.port
            ),
            Message("The box connects again by itself; calls of the meantime are passed over."),
        )

    def _connected(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._answer = int(reason.value)

    def _subscribed(self, _client: Any, _data: Any, _number: int, reasons: Any, _properties: Any) -> None:
        self._granted = [int(reason.value) for reason in reasons]

    def _message(self, _client: Any, _data: Any, message: Any) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""
        self._messages.take(topic, bytes(message.payload), bool(message.retain))


class _Trust(ssl.SSLContext):
    """Keeps hold of its connection: the library lets go of one whose other side is not trusted without closing it."""

    connection: ssl.SSLSocket | None = None

    def wrap_socket(self, *args: Any, **more: Any) -> ssl.SSLSocket:
        self.connection = super().wrap_socket(*args, **more)
        return self.connection

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()


def _trust(section: QueueMqttSection) -> _Trust:
    """Whose certificates are believed; the broker's name is checked. Raises `SourceError`."""
    trust = _Trust(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if section.ca_file is None:
            trust.load_default_certs()
        else:
            trust.load_verify_locations(section.ca_file)
    except OSError:  # of which ssl's own errors are a kind
        raise SourceError(
            Message("The certificates at {path} cannot be read.", path=section.ca_file or ""),
            Message("[queue.mqtt] ca_file is a text file in PEM; check its owner."),
        ) from None
    return trust


def _bound(client: Any) -> None:
    """Hold a broker to what it was asked to: the library takes a packet of 256 MiB as it comes."""
    receive, owner = type(client)._sock_recv, weakref.ref(client)  # its sockets are closed when it is let go of

    def bounded(size: int) -> bytes:
        if size > MAX_MESSAGE_BYTES:
            raise ConnectionError
        data: bytes = receive(owner(), size)
        return data

    client._sock_recv = bounded


def _wishes() -> Any:
    """Of the connection: nothing is kept when it ends, nothing large is sent, not much at once."""
    wishes = _paho("properties").Properties(_paho("packettypes").PacketTypes.CONNECT)
    wishes.SessionExpiryInterval = 0
    wishes.MaximumPacketSize = MAX_MESSAGE_BYTES
    wishes.ReceiveMaximum = MAX_UNANSWERED
    return wishes


def _paho(module: str) -> Any:
    """A module of the package, imported only where a broker is configured. Raises `ConfigError`."""
    try:
        return importlib.import_module(f"paho.mqtt.{module}")
    except ImportError:
        raise ConfigError(
            Message("A broker (MQTT) needs an extra."), Message("Run: pip install 'hailong[edge-queue]'")
        ) from None
