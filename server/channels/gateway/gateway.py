"""What gateways of SMS and of the 1022 call centre send, and the province's portal asks for.

Every call is signed: `X-Hailong-Signature` = hex HMAC-SHA-256 under the gateway's key over method, path,
`X-Hailong-Time` (Unix seconds, at most five minutes off), `X-Hailong-Nonce` (new in every call) and body; a call that
is sent again is refused. A repeated *event* (under a new nonce) gets the reply it got before. The phone's number meets
the answers only while the conversation lasts, there as a keyed hash, both under a key that is in memory alone.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import ColumnElement, Connection, Row, delete, insert, select, update

from pipeline.calendar import today
from pipeline.errors import ConflictError, InvalidError, NotFoundError
from pipeline.instruments import Instrument
from pipeline.language import Message
from server.channels.gateway import conversation as talk
from server.channels.gateway.conversation import Conversation, Outcome
from server.channels.gateway.sealed_keys import open_key, seal_key
from server.channels.gateway.signing import Call
from server.channels.gateway.understanding import read_input
from server.channels.gateway.waves import take_next
from server.core.changes import record_change
from server.core.scope import Scope
from server.ratings.admission import Gate
from server.ratings.rating import Place, Rating, UnfitSheetError
from server.ratings.source import Source, SourceKind
from server.ratings.store import add
from server.ratings.suspicion import ArrivalWatch
from server.rounds.rounds import Round, find_round
from server.store.channels import CHANNELS, Channel
from server.store.engine import insert_if_absent, insert_row
from server.store.tables.agencies import agencies
from server.store.tables.contacts import phone_contacts, phone_sessions
from server.store.tables.gateways import gateway_events, gateway_nonces, gateways

KEPT_DAYS = 2
"""A conversation that is not gone on with is forgotten after so many days."""
MAX_SKEW_S = 300
_SPAN_S = 2 * MAX_SKEW_S
_MAX_ANSWERS = 20


@dataclass(frozen=True, slots=True, repr=False)
class Gateway:
    """A gateway and the province and round it works for."""

    id: int
    province_id: int
    code: str
    kind: str
    secret: str
    round_id: int

    @property
    def channel(self) -> Channel:
        """The channel whose answers it brings. Raises `InvalidError` for one that brings none (a portal)."""
        found = CHANNELS.of_gateway(self.kind)
        if found is None:
            raise InvalidError(Message("This gateway brings no answers."))
        return found


@dataclass(frozen=True, slots=True)
class GatewayReply:
    """What the gateway says to the person; `end`: hang up, or expect no more."""

    reply: str
    end: bool


def gateways_of(connection: Connection, scope: Scope, round_id: int) -> list[Row[Any]]:
    """Code and kind of the gateways through which a round asks."""
    query = scope.select(gateways, gateways.c.code, gateways.c.kind)
    return list(connection.execute(query.where(gateways.c.round_id == round_id, gateways.c.active)))


def make_gateway(
    connection: Connection, province_id: int, code: str, kind: str, round_id: int, user_id: int | None, key: bytes
) -> str:
    """Make a gateway and return its key (hex), shown once to whoever sets the gateway up; sealed under `key`.

    Raises `ConflictError`, `InvalidError`."""
    find_round(connection, province_id, round_id=round_id)
    if kind not in ("sms", "call", "portal", "one_stop") or not code.isidentifier() or len(code) > 40:
        raise InvalidError(Message("A gateway has a code of letters and digits, and is sms, call, portal or one_stop."))
    if connection.execute(select(gateways.c.id).where(gateways.c.code == code)).first():
        raise ConflictError(
            Message("There is a gateway '{code}'.", code=code),
            Message("Choose another code."),
        )
    secret = secrets.token_hex(32)
    sealed = seal_key(secret, code, key)
    values = {"code": code, "kind": kind, "secret": sealed, "round_id": round_id, "active": True}
    gateway = insert_row(connection, gateways, {"province_id": province_id, **values})
    record_change(connection, province_id, user_id, "gateway_made", {"gateway": gateway, "kind": kind})
    return secret


def renew_key(
    connection: Connection, scope: Scope, round_id: int, code: str, user_id: int | None, key: bytes
) -> tuple[str, str]:
    """Kind and new key (hex) of a gateway whose key was lost or may be known; the old one ends now.

    Raises `NotFoundError`."""
    is_this = (gateways.c.code == code, gateways.c.round_id == round_id)
    row = connection.execute(scope.select(gateways, gateways.c.id, gateways.c.kind).where(*is_this)).first()
    if row is None:
        raise NotFoundError(Message("There is no such gateway."))
    secret = secrets.token_hex(32)
    values = {"secret": seal_key(secret, code, key)}
    connection.execute(scope.update(gateways).where(gateways.c.id == row.id).values(**values))
    record_change(connection, scope.province_id, user_id, "gateway_key_renewed", {"gateway": row.id})
    return row.kind, secret


def find_gateway(connection: Connection, code: str, key: bytes) -> Gateway | None:
    """The active gateway of that code; None also where its key does not open under `key`, and so proves nothing."""
    row = connection.execute(select(gateways).where(gateways.c.code == code, gateways.c.active)).first()
    secret = None if row is None else open_key(row.secret, row.code, key)
    if row is None or secret is None:
        return None
    return Gateway(row.id, row.province_id, row.code, row.kind, secret, row.round_id)


def is_genuine(gateway: Gateway, call: Call, signature: str, now_s: float | None = None) -> bool:
    """Whether a call is the gateway's own and fresh."""
    if not call.is_well_formed:
        return False
    now = time.time() if now_s is None else now_s
    fresh = abs(now - int(call.time)) <= MAX_SKEW_S
    return fresh and hmac.compare_digest(call.signature(gateway.secret).encode(), signature.encode())


def is_first(connection: Connection, gateway: Gateway, call: Call) -> bool:
    """Take a call's nonce; False where the call was taken before. A nonce is kept until its time has run out."""
    scope, span = Scope(gateway.province_id), int(call.time) // _SPAN_S
    connection.execute(scope.delete(gateway_nonces).where(gateway_nonces.c.span < int(time.time()) // _SPAN_S - 1))
    values = {"province_id": gateway.province_id, "gateway_id": gateway.id, "nonce": call.nonce, "span": span}
    return insert_if_absent(connection, gateway_nonces, values, ("gateway_id", "nonce"))


@functools.cache
def _conversation_key() -> bytes:
    """The key of the conversations under way: in this process's memory alone, gone with it. What a write-ahead log, a
    backup or a free page keeps of a conversation can be opened by nobody afterwards; a restarted server greets anew."""
    return AESGCM.generate_key(256)


def _phone_digest(gateway: Gateway, phone: str) -> str:
    return hmac.new(_conversation_key(), f"{gateway.id} phone {phone}".encode(), hashlib.sha256).hexdigest()


def _sealed(answers: Sequence[int]) -> str:
    """The answers of a conversation as its row keeps them: 64 characters, however many there are."""
    digits = "".join(map(str, answers)).ljust(_MAX_ANSWERS).encode()
    nonce = secrets.token_bytes(12)
    return base64.b64encode(nonce + AESGCM(_conversation_key()).encrypt(nonce, digits, None)).decode()


def answers_of(sealed: str) -> tuple[int, ...]:
    """The answers in a row that this process has written."""
    raw = base64.b64decode(sealed)
    digits = AESGCM(_conversation_key()).decrypt(raw[:12], raw[12:], None).decode().strip()
    return tuple(int(digit) for digit in digits)


_REMINDER = "Xin nhắc lại, chỉ một lần này."


def next_to_ask(connection: Connection, gateway: Gateway, count: int) -> list[dict[str, str]]:
    """Numbers to ask next with their first message, or the one reminder (`waves`); they count as asked."""
    survey_round = find_round(connection, gateway.province_id, round_id=gateway.round_id)
    if not survey_round.open_now:
        return []
    instrument = survey_round.load_instrument()
    found = []

    def is_talking(phone: str) -> bool:
        kept = phone_sessions.c.day >= today() - KEPT_DAYS
        query = select(phone_sessions.c.id).where(*_session_of(gateway, phone), kept)
        return connection.execute(query).first() is not None

    for row in take_next(connection, Scope(gateway.province_id), gateway.round_id, count, is_talking):
        _open_session(connection, gateway, row, Conversation())
        text = talk.greeting(instrument, _agency(connection, row.agency_id), spoken=gateway.kind == "call")
        found.append({"phone": row.phone, "text": f"{_REMINDER} {text}" if row.waves else text})
    return found


def _session_of(gateway: Gateway, phone: str) -> tuple[ColumnElement[bool], ...]:
    """The conversation with a number, as conditions."""
    return (
        Scope(gateway.province_id).where(phone_sessions),
        phone_sessions.c.round_id == gateway.round_id,
        phone_sessions.c.channel == gateway.channel.code,
        phone_sessions.c.phone_digest == _phone_digest(gateway, phone),
    )


def _agency(connection: Connection, agency_id: int) -> str:
    return str(connection.execute(select(agencies.c.name).where(agencies.c.id == agency_id)).scalar_one())


def _open_session(connection: Connection, gateway: Gateway, contact: object, state: Conversation) -> None:
    phone = contact.phone  # type: ignore[attr-defined]
    values = {
        "province_id": gateway.province_id,
        "round_id": gateway.round_id,
        "agency_id": contact.agency_id,  # type: ignore[attr-defined]
        "service_group": contact.service_group,  # type: ignore[attr-defined]
        "channel": gateway.channel.code,
        "phone_digest": _phone_digest(gateway, phone),
        "step": state.step,
        "retries": state.retries,
        "answers": _sealed(state.answers),
        "day": today(),
    }
    connection.execute(delete(phone_sessions).where(*_session_of(gateway, phone)))
    connection.execute(insert(phone_sessions).values(**values))


def receive(
    connection: Connection, gateway: Gateway, event: str, phone: str, text: str, watch: ArrivalWatch
) -> GatewayReply:
    """One message or key of a person, by the gateway's event id. The caller's transaction keeps or drops it whole."""
    # keyed, as an event's id may be made of what can be guessed: a telephone number, the second of a call
    digest = hmac.new(_conversation_key(), f"{gateway.id} event {event}".encode(), hashlib.sha256).hexdigest()
    row = {"province_id": gateway.province_id, "gateway_id": gateway.id, "event": digest, "day": today(), "reply": ""}
    this_event = (gateway_events.c.gateway_id == gateway.id, gateway_events.c.event == digest)
    # The row first: of two of the same event the second waits here for the first, and gets its reply.
    if not insert_if_absent(connection, gateway_events, row, ("gateway_id", "event")):
        held = str(connection.execute(select(gateway_events.c.reply).where(*this_event)).scalar_one())
        return GatewayReply(held[1:], held[:1] == "1")
    reply = _receive(connection, gateway, phone, text, watch)
    told = f"{int(reply.end)}{reply.reply}"
    connection.execute(update(gateway_events).where(*this_event).values(reply=told))
    return reply


def _receive(connection: Connection, gateway: Gateway, phone: str, text: str, watch: ArrivalWatch) -> GatewayReply:
    survey_round = find_round(connection, gateway.province_id, round_id=gateway.round_id)
    spoken = gateway.kind == "call"
    if not survey_round.open_now:
        return GatewayReply("Đợt khảo sát đã kết thúc. Xin cảm ơn.", True)
    is_this_call = _session_of(gateway, phone)
    contact_where = (
        Scope(gateway.province_id).where(phone_contacts),
        phone_contacts.c.round_id == gateway.round_id,
        phone_contacts.c.phone == phone,
    )
    # Locked until this message is stored: messages of one number follow each other, on every data base.
    contact = connection.execute(select(phone_contacts).where(*contact_where).with_for_update()).first()
    if contact is None:
        return GatewayReply("Số này không có trong danh sách khảo sát.", True)
    session = connection.execute(select(phone_sessions).where(*is_this_call)).first()
    if contact.state in ("answered", "declined"):
        return GatewayReply("Ông/Bà đã tham gia đợt khảo sát này. Xin cảm ơn.", True)
    instrument = survey_round.load_instrument()
    hello = talk.greeting(instrument, _agency(connection, contact.agency_id), spoken=spoken)
    state = Conversation()
    if session is None:  # a call that the person began, or a conversation that was tidied away, or failed
        connection.execute(update(phone_contacts).where(*contact_where).values(state="asked"))
        _open_session(connection, gateway, contact, state)
        session = connection.execute(select(phone_sessions).where(*is_this_call)).one()
        late = contact.state == "failed" and read_input(text, instrument) is not None
        if not late:  # who failed before and now answers is heard; everybody else is greeted
            return GatewayReply(hello, False)
    else:
        state = Conversation(session.step, session.retries, answers_of(session.answers))
    if not text.strip() and state == Conversation():
        return GatewayReply(hello, False)  # the call begins
    result = talk.turn(instrument, state, text, spoken=spoken)
    if result.outcome is Outcome.GOING_ON:
        after = result.conversation
        values = {"step": after.step, "retries": after.retries, "answers": _sealed(after.answers)}
        connection.execute(update(phone_sessions).where(*is_this_call).values(**values))
        return GatewayReply(result.reply, False)
    connection.execute(delete(phone_sessions).where(*is_this_call))
    outcome = result.outcome
    if outcome is Outcome.DONE:
        stored = _store(connection, gateway, survey_round, session, result.conversation, instrument, watch)
        outcome = Outcome.DONE if stored else Outcome.FAILED
    ended = {Outcome.DONE: "answered", Outcome.DECLINED: "declined", Outcome.FAILED: "failed"}[outcome]
    connection.execute(update(phone_contacts).where(*contact_where).values(state=ended))
    return GatewayReply(result.reply, True)


def _store(
    connection: Connection,
    gateway: Gateway,
    survey_round: Round,
    session: object,
    state: Conversation,
    instrument: Instrument,
    watch: ArrivalWatch,
) -> bool:
    answers = talk.sheet(instrument, state.answers)
    group, agency = session.service_group, session.agency_id  # type: ignore[attr-defined]
    place = Place(gateway.province_id, agency, service_group=group)
    try:
        rating = Rating.checked(instrument, answers, place=place, channel=gateway.channel, day=today(), today=today())
    except UnfitSheetError:
        return False
    suspicion = watch.judge(instrument, answers, place=f"{gateway.province_id} {agency} {gateway.channel}")
    gate = Gate(connection, Scope(gateway.province_id), Source(SourceKind.GATEWAY, gateway.id))
    add(connection, [gate.admit(rating, suspicion)])
    return True


def expire_conversations(connection: Connection, province_id: int) -> int:
    """Delete conversations and events older than two days; answers in them are lost, as if never given."""
    oldest = today() - KEPT_DAYS
    gone = connection.execute(Scope(province_id).delete(phone_sessions).where(phone_sessions.c.day < oldest)).rowcount
    connection.execute(Scope(province_id).delete(gateway_events).where(gateway_events.c.day < oldest))
    return int(gone)
