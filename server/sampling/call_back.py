"""A plan's call-back of those who did not answer: who is called, with what words, and the figures that it gives."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, func

from calibration.call_back import MIN_BEYOND, REACHED, corrected, draw_calls, price
from pipeline.calendar import today
from pipeline.errors import InvalidError
from pipeline.language import Message, Number
from server.catalogue.reading import read_catalogue
from server.core.looks import ONE_LOOK
from server.core.provinces import read_setting
from server.core.scope import Scope
from server.sampling.plan import PlanState
from server.store.channels import CHANNELS
from server.store.tables.ratings import RatingState, ratings
from server.tabular.lists import read_list
from server.tabular.spec import Cells
from server.tabular.values import read_whole

SCRIPT = (
    Message("Good day, this is the information line 1022 of the province. You had a dossier with our agency lately."),
    Message("Have you already answered our questions about it? (If yes: thank, end, and count nothing.)"),
    Message("One question only, and you need not answer: were you satisfied with the service as a whole?"),
    Message("Note down: agency, reached (yes or no), satisfied (yes or no). No name, no number, no time."),
)
Say = Callable[..., str]


def _answered(connection: Connection, province_id: int, state: PlanState) -> dict[str, tuple[int, int]]:
    """(answered, satisfied) of the overall question by agency, of the channels that count for plans."""
    query = (
        Scope(province_id)
        .select(ratings, ratings.c.agency_id, func.count(), func.count().filter(ratings.c.a00 >= 4))
        .where(
            ratings.c.instrument == state.round.instrument,
            ratings.c.day.between(state.round.first_day, state.round.last_day),
            ratings.c.channel.in_([channel.code for channel in CHANNELS if channel.for_plan]),
            ratings.c.state != int(RatingState.SET_ASIDE),
            ratings.c.a00 > 0,
        )
        .group_by(ratings.c.agency_id)
    )
    agencies = read_catalogue(connection, province_id).agencies
    return {agencies[number].code: (int(n), int(k)) for number, n, k in connection.execute(query)}


def draw_text(connection: Connection, province_id: int, state: PlanState, calls: int, seed: int, _: Say) -> str:
    """Price, script and list of a draw of `calls`. Raises `StatisticsError` where there is nobody to call."""
    back = _answered(connection, province_id, state)
    answered, satisfied = (sum(column) for column in zip(*back.values(), strict=True)) if back else (0, 0)
    share = (satisfied + 2) / (answered + 4)
    told = price(max(state.forms, answered), answered, calls, share=share)
    drawn = draw_calls([row.picks for row in state.rows], [row.to_ask for row in state.rows], calls, seed)
    lines = [
        _(
            "{calls} calls, of which about {reached} reach somebody who did not answer.",
            calls=calls,
            reached=told.reached,
        ),
        _(
            "Price: the province's standard error rises from {before} to at most {after} points. The corrected figure "
            "is nearer the truth where those who answer differ so much that the index is off by more than {bias} "
            "points.",
            before=Number(100 * told.before, 1),
            after=Number(100 * told.after, 1),
            bias=Number(100 * told.pays_beyond, 1),
        ),
        _(
            "What the calls do not tell is whether those they do not reach are like those they do. The figure will "
            "therefore be told with a second, wider range, in which the odds of these two differ by {times} times or "
            "more either way; calling again at another hour narrows it.",
            times=Number(MIN_BEYOND, 0),
        ),
        "",
        *(_(line) for line in SCRIPT),
        "",
        _("Answers bear no name: whoever is called is asked first. Numbers of transactions to call:"),
    ]
    for row, numbers in zip(state.rows, drawn, strict=True):
        if numbers:
            lines.append(f"{_(row.agency_name)}, {_(row.group_name)}: {' '.join(map(str, numbers))}")
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Answered:
    """An agency's call-back: people `called` (0: not told), those `reached` who had not answered, and `satisfied`."""

    called: int = 0
    reached: int = 0
    satisfied: int = 0


_COLUMNS: dict[str, tuple[str, ...]] = {
    "agency": ("cơ quan", "mã cơ quan"),
    "called": ("số người đã gọi",),
    "reached": ("số người gặp được",),
    "satisfied": ("số người hài lòng",),
}


def answers_of(path: Path) -> dict[str, Answered]:
    """By agency from a file with the columns agency, reached, satisfied and, if it has it, called; rows add up.

    Raises `InvalidError` for other columns, and for counts that cannot be."""

    def counts(cells: Cells) -> tuple[str, Answered]:
        reached, satisfied = (read_whole(cells[name]) for name in ("reached", "satisfied"))
        called = read_whole(cells["called"]) if "called" in cells else 0
        if satisfied > reached or ("called" in cells and reached > called):
            raise ValueError(Message("no more are satisfied than reached, no more reached than called"))
        return cells["agency"], Answered(called, reached, satisfied)

    found: dict[str, Answered] = defaultdict(Answered)
    for agency, more in read_list(path, _COLUMNS, ("agency", "reached", "satisfied"), counts):
        before = found[agency]
        found[agency] = Answered(
            before.called + more.called, before.reached + more.reached, before.satisfied + more.satisfied
        )
    return dict(found)


def corrected_text(
    connection: Connection, province_id: int, state: PlanState, calls: Mapping[str, Answered], _: Say
) -> str:
    """The odds ratio with its interval, and the figures of the province and of every agency, corrected by it."""
    back = _answered(connection, province_id, state)
    forms: dict[str, int] = defaultdict(int)
    size: dict[str, int] = defaultdict(int)
    names: dict[str, str] = {}
    for row in state.rows:
        forms[row.agency] += row.forms
        size[row.agency] += row.transactions
        names[row.agency] = _(row.agency_name)
    if unknown := sorted(set(calls) - set(forms)):
        raise InvalidError(
            Message(
                "The call-back's answers name agencies that the plan did not draw: {names}.", names=", ".join(unknown)
            ),
            Message("Use the codes of the plan."),
        )
    codes = sorted(forms)
    counts = [back.get(code, (0, 0)) for code in codes]
    reached = [(one.reached, one.satisfied) for one in (calls.get(code, Answered()) for code in codes)]
    # of those called, as many had answered as of all who were asked
    called = sum(
        of_one.called * max(0.0, 1 - counts[place][0] / max(forms[code], 1))
        for place, code in enumerate(codes)
        if (of_one := calls.get(code)) is not None
    )
    share = min(1.0, max(0.01, sum(n for n, _k in reached) / called)) if called else REACHED
    found = corrected(
        [forms[code] for code in codes],
        [k for _n, k in counts],
        [n for n, _k in counts],
        [k for _n, k in reached],
        [n for n, _k in reached],
        weights=[size[code] for code in codes],
        reached=share,
    )
    low, high = found.ratio.interval()
    whole = found.province
    lines = [
        _(
            "Satisfied people answered at {ratio} times the odds of others ({low} to {high}).",
            ratio=Number(found.ratio.ratio, 2),
            low=Number(low, 2),
            high=Number(high, 2),
        ),
        _(
            "Overall satisfaction of the province: {plain} of those who answered, {index} corrected ({low} to {high}).",
            plain=Number(100 * whole[3], 1),
            index=Number(100 * whole[0], 1),
            low=Number(100 * whole[1], 1),
            high=Number(100 * whole[2], 1),
        ),
        _(
            "That takes those who were not reached to be like those who were. No figure tells whether they are: if "
            "their odds of being satisfied are up to {times} times as high, or up to {times} times as low, overall "
            "satisfaction lies between {low} and {high}.",
            times=Number(found.beyond, 1),
            low=Number(100 * found.between[0], 1),
            high=Number(100 * found.between[1], 1),
        ),
        _(
            "Why {times}: those not reached may differ from the reached as much as these differ from the people who "
            "answered by themselves, and by 2 at least. {share} of those called were reached{assumed}.",
            times=Number(found.beyond, 1),
            share=f"{round(100 * share)} %",
            assumed="" if called else _(" (assumed: the answers have no column called)"),
        ),
    ]
    if today() <= state.round.last_day:
        lines.append(_(ONE_LOOK))
    below = int(read_setting(connection, province_id, "min_answers"))
    for place, code in enumerate(codes):
        if counts[place][0] >= below:
            figures = (found.plain[place], found.estimate[place], found.low[place], found.high[place])
            plain, index, least, most = (Number(100 * float(one), 1) for one in figures)
            line = _("{plain}, corrected {index} ({low} to {high})", plain=plain, index=index, low=least, high=most)
            lines.append(f"{names[code]}: {line}")
    return "\n".join(lines)
