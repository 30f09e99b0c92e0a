"""What an improvement at some agencies did, from the official index by quarters: an analyst's page.

Only figures that are published go in (`server.core.disclosure`): an agency whose quarter is hidden has no answers in
it. Each counts as many answers as its interval rests on. Of one agency the series of its own months stands beside it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from markupsafe import Markup
from numpy.typing import NDArray
from sqlalchemy import Connection

from calibration.before_after import FEWEST_CONTROLS, BeforeAfter, Effect, before_after
from calibration.interrupted import MONTHS_FOR_A_SEASON, Interrupted, interrupted
from pipeline.calendar import Period, month_words, parse_period, period_of_months
from pipeline.errors import StatisticsError
from pipeline.instruments import Instrument
from pipeline.language import Message, translator
from server.catalogue.agencies import Agency, read_agencies
from server.catalogue.succession import Line
from server.scores.comparing import effective
from server.scores.course_plot import Drawn, Rule, course_plot
from server.scores.fused import rated_quarters
from server.scores.index import WHOLE
from server.scores.row_plot import Look
from server.scores.standings import held_index, main_instrument
from server.scores.trends import trend
from server.store.engine import read
from server.web.context import Analyst, engine_of, error_text, language, render

router = APIRouter(include_in_schema=False)
MAX_QUARTERS = 8
"""So many, the newest ones, are compared."""
MAX_AGENCIES = 500
SERIES_MONTHS = 36


@dataclass(frozen=True, slots=True)
class Course:
    """The official index of agencies by quarters, the oldest first. `satisfied`, `valid` float64 [agencies, quarters]:
    answers, as many as count for sure; 0 where there is no published figure."""

    codes: tuple[str, ...]
    quarters: tuple[Period, ...]
    satisfied: NDArray[np.float64]
    valid: NDArray[np.float64]

    def effect(self, improved: Collection[str], first: Period) -> BeforeAfter:
        """Of an improvement that came with the quarter `first` to the agencies of these codes. Raises
        `StatisticsError` where too little is known to tell."""
        return before_after(
            self.satisfied, self.valid, [code in improved for code in self.codes], self.quarters.index(first)
        )


def course(connection: Connection, province_id: int, instrument: Instrument, quarters: Sequence[Period]) -> Course:
    """The course of the whole's index over quarters, the oldest first."""
    rows: dict[str, list[tuple[float, float]]] = {}
    for number, quarter in enumerate(quarters):
        for place in held_index(connection, province_id, instrument, quarter).of("agency"):
            figure = place.figure(WHOLE)
            if figure.index is not None:
                known = rows.setdefault(place.key, [(0.0, 0.0)] * len(quarters))
                known[number] = (figure.index / 100 * effective(figure), effective(figure))
    table = np.array(list(rows.values()), dtype=np.float64).reshape(len(rows), len(quarters), 2)
    return Course(tuple(rows), tuple(quarters), table[..., 0], table[..., 1])


def is_sure(effect: Effect) -> bool:
    """Whether it can be told from chance."""
    return not effect.low <= 0 <= effect.high


def conclusion(found: BeforeAfter) -> Message:
    """What a leader may say of it, in one sentence."""
    if found.placebo is not None and is_sure(found.placebo):
        return Message(
            "These agencies were already on another way than the others before the improvement came: what followed "
            "cannot be put down to it."
        )
    if not is_sure(found.effect):
        return Message("A difference cannot be told from chance: that does not mean that there was none.")
    if found.effect.estimate > 0:
        return Message("The improved agencies rose against the others by more than chance explains.")
    return Message("The improved agencies fell against the others by more than chance explains.")


@dataclass(frozen=True, slots=True)
class Series:
    """One agency's months up to the last that is over, and what they tell of a step."""

    months: tuple[int, ...]
    rated: tuple[int, ...]
    found: Interrupted


def series(
    connection: Connection, province_id: int, instrument: Instrument, agency: Agency, first: Period, newest: Period
) -> Series:
    """The overall satisfaction of an agency by months as its page shows it: months that are hidden there have no
    answers here. Raises `StatisticsError` where they are too few to tell."""
    points = [
        point
        for point in trend(connection, province_id, Line.alone(agency.agency_id), newest, SERIES_MONTHS)
        if not period_of_months(point.month, point.month).runs
    ]
    while points and not points[0].rated:
        points.pop(0)
    known = held_index(connection, province_id, instrument, newest).of("agency")
    effects = [place.figure(WHOLE).design_effect or 1.0 for place in known if place.key == agency.code]
    rated = np.array([point.rated for point in points], dtype=np.float64)
    satisfied = np.array([(point.index or 0.0) / 100 * point.rated for point in points])
    months = tuple(point.month for point in points)
    begun = sum(month < first.first_month for month in months)
    found = interrupted(np.minimum(satisfied, rated), rated, begun, design_effect=max(effects, default=1.0))
    return Series(months, tuple(point.rated for point in points), found)


def series_conclusion(found: Interrupted) -> Message:
    """What a leader may say of a series without controls, in one sentence."""
    if found.placebo is not None and is_sure(found.placebo):
        return Message(
            "The months before the improvement already hold such a step: what followed cannot be put down to it."
        )
    if not is_sure(found.effect):
        return Message(
            "A step in this agency's months cannot be told from chance: that does not mean that there was none."
        )
    if not found.knows_season:
        return Message(
            "These months are fewer than {months}: before every month of the year was seen twice a season looks like a "
            "step, so that nothing is concluded from them.",
            months=MONTHS_FOR_A_SEASON,
        )
    if found.effect.estimate > 0:
        return Message(
            "This agency's months rose by more than chance explains; whatever else came in that month, or a season, "
            "would look the same."
        )
    return Message(
        "This agency's months fell by more than chance explains; whatever else came in that month, or a season, would "
        "look the same."
    )


@router.get("/analysis/before-after")
def before_after_page(
    request: Request,
    user: Analyst,
    first: Annotated[str, Query(max_length=30)] = "",
    agency: Annotated[list[Annotated[str, Query(max_length=80)]], Query(max_length=MAX_AGENCIES)] = [],  # noqa: B006
) -> Response:
    """Choose agencies and the first quarter after; the effect, a check on the quarter before, and the plot."""
    lang, improved = language(request), frozenset(agency)
    with read(engine_of(request)) as connection:
        periods = rated_quarters(connection, user.province_id)
        quarters = [one.period for one in periods][:MAX_QUARTERS][::-1]
        agencies = read_agencies(connection, user.province_id)
        instrument = main_instrument(connection, user.province_id, quarters[-1])
        chosen = parse_period(first) if first else quarters[-1]
        known = None
        if improved and chosen in quarters:
            known = course(connection, user.province_id, instrument, quarters)
        alone, alone_problem = None, ""
        mine = [one for one in agencies if one.code in improved]
        if known is not None and len(mine) == 1:
            try:
                alone = series(connection, user.province_id, instrument, mine[0], chosen, quarters[-1])
            except StatisticsError as error:
                alone_problem = error_text(request, error)
    found, problem = None, ""
    if known is not None:
        try:
            found = known.effect(improved, chosen)
        except StatisticsError as error:
            problem = error_text(request, error)
    elif improved:
        problem = error_text(request, StatisticsError(Message("There are no figures of this quarter.")))
    words = [one.words(lang) for one in quarters]
    return render(
        request,
        "before_after.html",
        agencies=agencies,
        improved=improved,
        quarters=quarters,
        first=chosen,
        instrument=instrument,
        fewest=FEWEST_CONTROLS,
        found=found,
        problem=problem,
        conclusion=None if found is None else conclusion(found),
        rows=[] if found is None else _rows(found, words),
        plot="" if found is None else _quarters_plot(found, words, lang),
        alone=alone,
        alone_problem=alone_problem,
        alone_conclusion=None if alone is None else series_conclusion(alone.found),
        alone_rows=[] if alone is None else _series_rows(alone, lang),
        alone_plot="" if alone is None else _series_plot(alone, lang),
    )


def _quarters_plot(found: BeforeAfter, words: Sequence[str], lang: str) -> Markup:
    """Both groups over the quarters; the dashed line stands where the improvement came."""
    _ = translator(lang)
    looks = [(Look.OTHER, _("Improved agencies")), (Look.MAIN, _("Other agencies"))]
    courses = [
        Drawn(look, [(number, 100 * float(share)) for number, share in enumerate(shares) if np.isfinite(share)])
        for (look, _words), shares in zip(looks, (found.improved, found.controls), strict=True)
    ]
    return course_plot(
        courses,
        f"{words[0]} – {words[-1]}",
        [words[0], words[-1]],
        lang,
        key="quarters-plot",
        across=(0, len(words) - 1),
        rules=[Rule(x=found.first, words=_("the improvement came"))],
        looks=looks,
        title=_("Satisfaction index"),
    )


def _series_plot(alone: Series, lang: str) -> Markup:
    _ = translator(lang)
    words = [month_words(month, lang) for month in alone.months]
    rows, first = list(enumerate(alone.found.rows(words))), alone.found.first
    return course_plot(
        [
            Drawn(Look.MAIN, [(number, row["course"]) for number, row in rows], dotted=False),
            Drawn(Look.OTHER, [(number, row["without"]) for number, row in rows[first:]], dashed=True, dotted=False),
            Drawn(
                Look.HOLLOW, [(number, row["share"]) for number, row in rows if row["share"] is not None], joined=False
            ),
        ],
        f"{words[0]} – {words[-1]}",
        [words[0], words[-1]],
        lang,
        key="months-plot",
        rules=[Rule(x=first, words=_("the improvement came"))],
        title=_("Overall satisfaction, percent"),
    )


def _series_rows(alone: Series, lang: str) -> list[tuple[str, float | None, int, float]]:
    """(month, satisfaction, answers, as it would have gone on) of the plot, as a table."""
    names = [month_words(month, lang) for month in alone.months]
    return [
        (row["month"], row["share"], rated, row["without"])
        for row, rated in zip(alone.found.rows(names), alone.rated, strict=True)
    ]


def _rows(found: BeforeAfter, quarters: Sequence[str]) -> list[tuple[str, float | None, float | None]]:
    """(quarter, index of the improved, of the others) of the plot, as a table."""

    def points(share: float) -> float | None:
        return None if np.isnan(share) else 100 * float(share)

    return [
        (quarter, points(mine), points(theirs))
        for quarter, mine, theirs in zip(quarters, found.improved, found.controls, strict=True)
    ]
