"""What to do next, as the first page says it: from the figures and the day's work, the most pressing first."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from sqlalchemy import Connection

from pipeline.language import Message, Plural
from server.auth.roles import Permission, User
from server.feedback.feedback import overdue
from server.scores.standings import Standings

_NAMED = 3


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do, and where."""

    words: Message | Plural
    href: str


def next_steps(connection: Connection, user: User, found: Standings, silent_boxes: int) -> list[Step]:
    """The steps that a user may take."""
    period = urlencode({"period": found.period.name})
    steps: list[Step] = []
    pressing = list(dict.fromkeys((*found.falling, *found.low)))
    for one in pressing[:_NAMED]:
        words = Message("{agency}: see what citizens are least content with, and why", agency=one.name)
        steps.append(Step(words, f"/agencies/{one.code}?{period}"))
    late = overdue(connection, user.scope) if user.may(Permission.ENTER_RATINGS) else 0
    if late:
        answer = Plural(
            "{count} piece of feedback is overdue: answer it",
            "{count} pieces of feedback are overdue: answer them",
            late,
        )
        steps.append(Step(answer, "/survey/feedback"))
    if found.few:
        few = Plural(
            "{count} agency has too few answers for an index: ask more of its citizens",
            "{count} agencies have too few answers for an index: ask more of their citizens",
            len(found.few),
        )
        steps.append(Step(few, f"/?{period}&only=few#agencies"))
    if silent_boxes and user.may(Permission.READ_HEALTH):
        steps.append(
            Step(Plural("{count} box is not working", "{count} boxes are not working", silent_boxes), "/health")
        )
    if found.transactions is None and found.sheets and user.may(Permission.MANAGE_SURVEY):
        words = Message(
            "The transactions of this period are not known: import them, for the response rate and the weights"
        )
        steps.append(Step(words, "/survey/import"))
    return steps
