"""What is written about alerts: one letter by mail for all of a look, one signed call of the webhook for each.

Vietnamese first, English below. In a letter: which alert, what it is about, where to look. No figure, no citizen's
word.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row

from pipeline.errors import InvalidError
from pipeline.language import Message, Text, in_language
from server.alerts.kinds import KINDS, AlertKind, words
from server.core.provinces import province_by_id, read_settings
from server.outbox.outbox import Letter, Way, post

LINES = 50
"""Alerts that one letter names; of more it says how many."""
LANGUAGES = ("vi", "en")
_RULE = "\n-- \n"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert to be told of: that it has begun, or is `over`. `at_s`: since when."""

    alert_id: int
    kind: AlertKind
    subject: str
    over: bool
    at_s: int
    words: Message

    @classmethod
    def of(cls, row: Row[Any]) -> Alert:
        """From a row of the store."""
        over = row.closed_s is not None
        kind = AlertKind(row.kind)
        at_s = row.closed_s if over else row.opened_s
        return cls(row.id, kind, row.subject, over, at_s, words(kind, row.subject, row.detail))


def ways(connection: Connection, province_id: int) -> list[tuple[Way, str]]:
    """Where a province's alerts go, as its settings say."""
    given = read_settings(connection, province_id, ("alert_mail", "alert_webhook"))
    found = [(Way.MAIL, str(given["alert_mail"]).strip()), (Way.WEBHOOK, str(given["alert_webhook"]).strip())]
    return [(way, receiver) for way, receiver in found if receiver]


def write_letters(connection: Connection, province_id: int, told: Sequence[Alert], now: int, address: str) -> None:
    """Put the letters about some alerts into the outbox."""
    province = province_by_id(connection, province_id)
    for way, receiver in ways(connection, province_id):
        if way is Way.MAIL:
            letters = [mail_of(told, province.name, receiver, address)]
        else:
            letters = [webhook_of(one, province.code, receiver, address) for one in told]
        for letter in letters:
            try:
                post(connection, province_id, letter, now)
            except InvalidError:  # a setting that somebody wrote by hand: the page still has the alerts
                break


def mail_of(told: Sequence[Alert], province: Text, receiver: str, address: str) -> Letter:
    """One letter about some alerts."""
    begun = [one for one in told if not one.over]
    over = [one for one in told if one.over]
    subject = Message("Hài Lòng: {begun} alerts, {over} over", begun=len(begun), over=len(over))
    parts = []
    for lang in LANGUAGES:
        lines = [in_language(Message("Alerts of {province}", province=province), lang), ""]
        for title, group in ((Message("New:"), begun), (Message("Over:"), over)):
            if group:
                lines.append(in_language(title, lang))
                lines += [f"  - {in_language(one.words, lang)}" for one in group[:LINES]]
                if len(group) > LINES:
                    more = Message("… and {count} more, on the page.", count=len(group) - LINES)
                    lines.append(f"  {in_language(more, lang)}")
                lines.append("")
        if address:
            lines.append(in_language(Message("All alerts: {address}", address=f"{address}/alerts"), lang))
        lines.append(in_language(Message("This letter was written by a program; nobody reads an answer to it."), lang))
        parts.append("\n".join(lines))
    return Letter(Way.MAIL, receiver, _RULE.join(parts) + "\n", in_language(subject, LANGUAGES[0]))


def webhook_of(one: Alert, province_code: str, receiver: str, address: str) -> Letter:
    """One call about one alert."""
    data = {
        "alert": one.alert_id,
        "province": province_code,
        "kind": one.kind.value,
        "subject": one.subject,
        "words": {lang: in_language(one.words, lang) for lang in LANGUAGES},
    }
    if address:
        data["page"] = address + KINDS[one.kind].path
    at = datetime.fromtimestamp(one.at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = {"type": "alert.over" if one.over else "alert.opened", "timestamp": at, "data": data}
    return Letter(Way.WEBHOOK, receiver, json.dumps(body, ensure_ascii=False))


def trial_letter(way: Way, receiver: str, province: Text, now: int) -> Letter:
    """What `hailong server alerts --test` sends."""
    said = Message("This is a test of the alerts of {province}. Nothing is wrong.", province=province)
    if way is Way.MAIL:
        text = _RULE.join(in_language(said, lang) for lang in LANGUAGES) + "\n"
        return Letter(way, receiver, text, in_language(Message("Hài Lòng: test of the alerts"), LANGUAGES[0]))
    at = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    both = {lang: in_language(said, lang) for lang in LANGUAGES}
    body = {"type": "alert.test", "timestamp": at, "data": {"words": both}}
    return Letter(way, receiver, json.dumps(body, ensure_ascii=False))
