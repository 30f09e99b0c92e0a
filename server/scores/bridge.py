"""The bridge between two instruments in a province: its link for every figure that both have, and the line over it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from calibration.bridge import Estimate, Link, link, share_estimate
from pipeline.calendar import Period, month_of_day, quarter_of_month, today
from pipeline.instruments import OVERALL, Instrument
from pipeline.language import Message, Text
from server.core.disclosure import published
from server.scores.figures import Figure
from server.scores.index import WHOLE, IndexResult, compute_index
from server.store.channels import ONLINE, RECEIPT

MAX_QUARTERS = 16
BY_LOT = frozenset({ONLINE.code, RECEIPT.code})
"""Channels whose links draw the instrument by lot (`server.rounds.rounds.Round.asked_by`). Elsewhere those who were
asked one way are other people than those who were asked the other way."""


@dataclass(frozen=True, slots=True)
class Linked:
    """One figure: its name, the link, the bridging period's estimates for each channel (old, new)."""

    code: str
    name: Text | Message
    link: Link
    channels: tuple[tuple[str, Estimate, Estimate], ...]


@dataclass(frozen=True, slots=True)
class Point:
    """A quarter on the line: as published (`carried` false), or the old instrument's figure carried over the link."""

    period: Period
    instrument: Message
    value: float
    low: float
    high: float
    carried: bool = False


def both_asked(connection: Connection, province_id: int, old: Instrument, new: Instrument) -> list[Period]:
    """Quarters in which the province has sheets of both instruments, the newest first."""
    mine, theirs = _quarters(connection, province_id, old), _quarters(connection, province_id, new)
    return [quarter for quarter in reversed(mine) if quarter in theirs]


def asked_last(connection: Connection, province_id: int, known: Sequence[Instrument]) -> tuple[Instrument, Instrument]:
    """(The older, the newer) of the two `known` instruments that were answered last in the province, the one with the
    later wire code as the newer; the last of all known where fewer were answered."""
    shown = published(connection, province_id, Period("", 0, month_of_day(today())))
    last: dict[tuple[str, int], int] = {}
    for (_, code, version, month), count in shown.months.items():
        if count:
            last[code, version] = max(month, last.get((code, version), 0))
    by_last = sorted(known, key=lambda one: (last.get((one.code, one.version), -1), one.wire_code))
    older, newer = sorted(by_last[-2:], key=lambda one: one.wire_code)
    return older, newer


def bridge(connection: Connection, province_id: int, old: Instrument, new: Instrument, period: Period) -> list[Linked]:
    """The links of the whole, the overall question and the factors of one code, from the channels that asked both ways.

    Channels are shown when their quarter is settled (`server.core.disclosure`): before that there is no link."""
    names: dict[str, Text | Message] = {WHOLE: Message("Index of the whole"), OVERALL: Message("Overall question")}
    theirs = {factor.code for factor in old.factors}
    names |= {factor.code: factor.named for factor in new.factors if factor.code in theirs}
    results = [
        compute_index(connection, province_id, one, period, dimensions=("channel",), only=set(names))
        for one in (old, new)
    ]
    found = []
    for code, name in names.items():
        pairs = tuple(_pairs(results[0], results[1], code))
        if pairs:
            found.append(Linked(code, name, link([(before, after) for _c, before, after in pairs]), pairs))
    return found


def _pairs(old: IndexResult, new: IndexResult, code: str) -> Iterator[tuple[str, Estimate, Estimate]]:
    before = {place.key: place.figure(code) for place in old.of("channel")}
    for place in (one for one in new.of("channel") if one.key in BY_LOT):
        mine, theirs = _estimate(place.figure(code)), before.get(place.key)
        other = None if theirs is None else _estimate(theirs)
        if mine is not None and other is not None:
            yield place.key, other, mine


def _estimate(figure: Figure) -> Estimate | None:
    if figure.index is None or not figure.valid or figure.satisfied is None:
        return None
    spread = share_estimate(figure.satisfied, figure.valid, figure.design_effect or 1.0)
    return Estimate(figure.index, spread.error)


def line(
    connection: Connection, province_id: int, old: Instrument, new: Instrument, code: str, over: Link
) -> list[Point]:
    """The province's figure by quarters: the old instrument's as published and carried over the link, the new one's."""
    found: list[Point] = []
    for one in (old, new):
        for quarter in _quarters(connection, province_id, one):
            result = compute_index(connection, province_id, one, quarter, dimensions=("province",), only={code})
            figure = result.of("province")[0].figure(code) if result.of("province") else None
            if figure is None or figure.index is None or figure.low is None or figure.high is None:
                continue
            found.append(Point(quarter, one.named, figure.index, figure.low, figure.high))
            estimate = _estimate(figure)
            # an error is of one look: what is carried of a quarter that runs comes when it is over
            if one is old and estimate is not None and not quarter.runs:
                carried = over.carry(estimate)
                low, high = carried.value - 1.959964 * carried.error, carried.value + 1.959964 * carried.error
                found.append(Point(quarter, new.named, carried.value, low, high, carried=True))
    return found


def _quarters(connection: Connection, province_id: int, one: Instrument) -> list[Period]:
    """Quarters of which sheets of an instrument may be seen."""
    shown = published(connection, province_id, Period("", 0, month_of_day(today())))
    of_it = (one.code, one.version)
    months = {month - month % 3 for (_a, *of, month), n in shown.months.items() if n and tuple(of) == of_it}
    return [quarter_of_month(month) for month in sorted(months)[-MAX_QUARTERS:]]
