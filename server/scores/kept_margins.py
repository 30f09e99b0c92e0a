"""Which margins a period's sheets are weighted to: chosen by a person, once, for good.

Every weighting of the same sheets tells another sum of their answers; whoever may weight them anew as often as he likes
takes the sums apart. So a sheet is weighted once: what is known of the population is kept with the period, later
imports and later transactions are for later periods, and no two periods that are kept overlap.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict

from sqlalchemy import Connection, select

from pipeline.calendar import Period, month_date, today
from pipeline.errors import ConflictError, InvalidError
from pipeline.instruments import Instrument
from pipeline.language import Message
from server.catalogue.margins import about_oneself
from server.catalogue.reading import frame_counts, read_catalogue
from server.core.changes import record_change
from server.core.scope import Scope
from server.scores.shown import shown_of
from server.store.tables.kept_margins import kept_margins
from server.store.tables.margins import margins as margins_table
from server.store.tables.provinces import provinces

Known = dict[str, dict[str, int]]
"""By margin (`level`, `field`, or a question's code) the people or transactions of each category."""
NOT_SETTLED = Message("Weighted figures come with the settled quarter, as all that rests on who answered.")
NO_MARGINS = Message("No margins are known: import them, or the transactions by field.")


def known_margins(connection: Connection, province_id: int, instrument: Instrument, period: Period) -> Known:
    """What is known now: transactions of the period by tier and field; of questions about oneself the newest year
    known by then."""
    found: Known = {}
    frame = frame_counts(connection, province_id, period)
    catalogue = read_catalogue(connection, province_id)
    for dimension, names in (("level", catalogue.levels), ("field", catalogue.fields)):
        totals: Counter[str] = Counter()
        for (agency, group), count in frame.items():
            one = catalogue.agencies.get(agency) if dimension == "level" else catalogue.groups.get(group)
            if one is not None and one.parent in names:
                totals[names[one.parent].code] += count
        if sum(totals.values()):
            found[dimension] = dict(totals)
    query = Scope(province_id).select(margins_table).where(margins_table.c.instrument == instrument.code)
    people: dict[str, dict[int, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    for row in connection.execute(query):
        people[row.item][row.year][str(row.choice)] = row.people
    now = month_date(period.last_month).year
    for item in about_oneself(instrument):
        years = people.get(item.code)
        if years:
            counts = years[max((year for year in years if year <= now), default=min(years))]
            if sum(counts.values()):
                found[item.code] = counts
    return found


def kept(connection: Connection, province_id: int, instrument: Instrument, period: Period) -> Known | None:
    """What was kept for exactly this period."""
    query = Scope(province_id).select(kept_margins, kept_margins.c.known)
    of = (kept_margins.c.instrument == instrument.code, kept_margins.c.first_month == period.first_month)
    text = connection.execute(query.where(*of, kept_margins.c.last_month == period.last_month)).scalar_one_or_none()
    return None if text is None else json.loads(text)


def keep_margins(
    connection: Connection, province_id: int, instrument: Instrument, period: Period, user_id: int | None
) -> None:
    """Keep what is known now for this period. Raises `InvalidError` where its people are not settled or nothing is
    known, `ConflictError` where its sheets, or some of them, are weighted already."""
    if connection.dialect.name == "postgresql":  # two at once: the second sees the first's; SQLite's writers wait
        of_province = select(provinces.c.id).where(provinces.c.id == province_id)
        connection.execute(of_province.with_for_update(key_share=True))
    if not shown_of(connection, province_id, period).shows("people"):
        raise InvalidError(NOT_SETTLED)
    scope = Scope(province_id)
    overlapping = (
        kept_margins.c.instrument == instrument.code,
        kept_margins.c.first_month <= period.last_month,
        kept_margins.c.last_month >= period.first_month,
    )
    if connection.execute(scope.select(kept_margins, kept_margins.c.id).where(*overlapping)).first():
        raise ConflictError(
            Message("The sheets of {period}, or some of them, are weighted already.", period=period.name),
            Message("They are weighted once: later imports count for later periods."),
        )
    known = known_margins(connection, province_id, instrument, period)
    if not known:
        raise InvalidError(NO_MARGINS)
    row = {
        "instrument": instrument.code,
        "first_month": period.first_month,
        "last_month": period.last_month,
        "known": json.dumps(known, sort_keys=True),
        "kept_day": today(),
    }
    scope.insert(connection, kept_margins, row)
    detail = {"instrument": instrument.code, "period": period.name, "known": known}
    record_change(connection, province_id, user_id, "margins_kept", detail)
