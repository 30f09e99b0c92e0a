"""The tries that are due, one after the other; each ends within `MAX_S`, and one failing receiver costs one try."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, Row

from pipeline.calendar import now_s
from pipeline.errors import InvalidError
from server.core.config import ServerConfig
from server.core.provinces import province_by_id
from server.core.secret_keys import ALERT_KEY, read_secret
from server.outbox import mail, webhook
from server.outbox.delivery import Problem, UndeliveredError
from server.outbox.outbox import Way, due, mark_failed, mark_sent
from server.store.engine import read, write

_log = logging.getLogger(__name__)
_ANY = ""
"""In the place of a receiver: whatever goes this way."""
_OF_ONE_LETTER = (Problem.REFUSED, Problem.NOT_WRITTEN)
"""Of these the mail server is not to blame: other letters may go."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a round of tries did; `waiting`: letters left alone because another to the same receiver had failed."""

    sent: int
    failed: int
    waiting: int


def try_once(config: ServerConfig, way: Way, message_id: str, row: Any, province_code: str, now: int) -> None:
    """One try for a letter, or anything with its columns. Raises `UndeliveredError`."""
    if way is Way.MAIL:
        sender = config.mail.sender or "hailong@localhost.localdomain"
        try:
            letter = mail.compose(sender, row.receiver, row.subject, row.text, row.html, message_id, now)
        except InvalidError:
            raise
        except Exception as error:  # a supervisor: what one letter stumbles over must not stand before all others
            where = "".join(traceback.format_tb(error.__traceback__))
            _log.error("A letter could not be written (%s); it is given up.\n%s", type(error).__name__, where)
            raise UndeliveredError(Problem.NOT_WRITTEN, for_good=True) from None
        if refused := mail.send(config.mail, letter):
            _log.warning("A letter was taken for some of its addresses; %d were refused.", refused)
        return
    secret = webhook.secret_of(read_secret(config, ALERT_KEY), province_code, row.subject)
    inner = webhook.networks(config.alerts.inner_networks)
    webhook.call(row.receiver, secret, message_id, row.text.encode(), at_s=now, inner=inner)


def deliver(engine: Engine, config: ServerConfig, clock: Callable[[], int] = now_s) -> Delivered:
    """Try every letter that is due. Never raises for what is wrong outside."""
    with read(engine) as connection:
        rows = due(connection, clock())
        codes = {one: province_by_id(connection, one).code for one in {row.province_id for row in rows}}
    failed: set[tuple[str, str]] = set()
    sent = waiting = 0
    for row in rows:
        if {(row.way, row.receiver), (row.way, _ANY)} & failed:
            waiting += 1
            continue
        at = clock()
        try:
            _try(config, row, codes[row.province_id], at)
        except UndeliveredError as error:
            no_server = row.way == Way.MAIL and error.problem not in _OF_ONE_LETTER
            failed.add((row.way, _ANY if no_server else row.receiver))
            _log.warning("A letter could not be delivered (%s, %d).", error.problem, error.their_status)
            with write(engine) as connection:
                mark_failed(connection, row, error, at)
            continue
        with write(engine) as connection:
            mark_sent(connection, row.id)
        sent += 1
    return Delivered(sent, len(failed), waiting)


def _try(config: ServerConfig, row: Row[Any], code: str, at: int) -> None:
    try:
        try_once(config, Way(row.way), row.message_id, row, code, at)
    except InvalidError:  # an address that was good when it was posted
        raise UndeliveredError(Problem.NO_ADDRESS, for_good=True) from None
