"""What a new province does first, and what of it is done; shown until there are figures."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Table, func

from pipeline.calendar import Period, quarter_of_month, today
from pipeline.language import Message
from server.auth.roles import Permission, User
from server.core.scope import Scope
from server.scores.standings import Standings
from server.store.tables.agencies import agencies
from server.store.tables.boxes import boxes
from server.store.tables.ratings import RatingState, ratings
from server.store.tables.rounds import rounds
from server.store.tables.transactions import transactions
from server.store.tables.users import users


@dataclass(frozen=True, slots=True)
class FirstStep:
    """One step. `href`: where it is done; empty for who may not."""

    words: Message
    done: bool
    href: str


_STEPS: tuple[tuple[Message, Table, int, str, Permission], ...] = (
    (Message("Enter the agencies, or import them"), agencies, 1, "/survey/import?kind=agencies",
     Permission.MANAGE_CATALOGUE),
    (Message("Add the users: an analyst, data entry, a reader for each agency"), users, 2, "/users",
     Permission.MANAGE_USERS),
    (Message("Open a round of the survey"), rounds, 1, "/survey/rounds", Permission.MANAGE_SURVEY),
    (Message("Import the transactions, for response rates, weights and the sampling plan"), transactions, 1,
     "/survey/import?kind=transactions", Permission.MANAGE_SURVEY),
    (Message("Enrol the boxes, if there are any (they are not needed for the official index)"), boxes, 1, "/health",
     Permission.READ_HEALTH),
    (Message("Collect sheets: tablets, links and QR codes, paper, files"), ratings, 1, "/survey/rounds",
     Permission.MANAGE_SURVEY),
)  # fmt: skip


def first_steps(connection: Connection, user: User) -> list[FirstStep]:
    """The steps with what is done of them."""
    found = []
    for words, table, needed, href, permission in _STEPS:
        count = connection.execute(Scope(user.province_id).select(table, func.count())).scalar_one()
        found.append(FirstStep(words, int(count) >= needed, href if user.may(permission) else ""))
    return found


@dataclass(frozen=True, slots=True)
class Coming:
    """When the first figures of a running quarter can come at the earliest. `day`: a day index."""

    quarter: Period
    day: int
    below: int


def coming(connection: Connection, user: User, found: Standings) -> Coming | None:
    """Of a quarter that is not settled, without a figure: what has to come, and when it can be shown at the earliest.

    Figures come in blocks of whole days with `below` sheets of an agency, and the newest block waits for the next
    (`server.core.disclosure`): two days with enough sheets, and the day after."""
    if found.figure.index is not None or not found.period.runs:
        return None
    known = (
        Scope(user.province_id)
        .select(ratings, func.count(func.distinct(ratings.c.day)))
        .where(
            ratings.c.month.between(found.period.first_month, found.period.last_month),
            ratings.c.day < today(),
            ratings.c.received_day < today(),
            ratings.c.state != RatingState.SET_ASIDE,
        )
    )
    days = int(connection.execute(known).scalar_one())
    # today can be the next day with enough sheets; the day after the second such day is the earliest
    return Coming(quarter_of_month(found.period.last_month), today() + max(1, 2 - days), found.below)
