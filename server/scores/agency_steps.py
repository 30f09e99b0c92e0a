"""What the head of an agency does next: from its own figures and cases, the most pressing first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from pipeline.calendar import Period
from pipeline.language import Message, Number, Plural
from server.feedback.feedback import FeedbackItem
from server.scores.lines import Lines
from server.scores.reasons import ReasonPlace
from server.scores.standings import Standing

_NAMED = 3


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do, and where."""

    words: Message | Plural
    href: str


def agency_steps(
    code: str,
    period: Period,
    below: int,
    standing: Standing | None,
    lines: Lines,
    reasons: ReasonPlace | None,
    cases: Sequence[FeedbackItem],
    *,
    asks: bool = True,
) -> list[Step]:
    """The steps; `below`: a figure needs so many sheets; `cases`: those of the agency that wait; `asks`: it still
    exists and can ask citizens."""
    at = urlencode({"period": period.name, "agency": code})
    steps: list[Step] = []
    late = sum(one.late for one in cases)
    if late:
        words = Plural("{count} case is overdue: answer it", "{count} cases are overdue: answer them", late)
        steps.append(Step(words, "#cases"))
    fallen = [line for line in lines.criteria if line.fallen]
    for line in fallen[:_NAMED]:
        words_of = Message("“{criterion}” surely fell: find out what changed at the counters", criterion=line.name)
        steps.append(Step(words_of, "#criteria-title"))
    if not fallen and lines.lowest:
        lowest = lines.lowest[0]
        begin = Message("Begin with the lowest criterion, “{criterion}”", criterion=lowest.name)
        steps.append(Step(begin, "#criteria-title"))
    if reasons is not None and reasons.reasons:
        first = reasons.reasons[0]
        named = Message("The reason named most is “{reason}”: read what people wrote about it", reason=first.name)
        steps.append(Step(named, f"/comments?{at}"))
    if asks and (standing is None or standing.few):
        few = Message(
            "An index needs {below} sheets of days that are over; {count} are counted so far: ask at the counter, and "
            "hand out links or QR codes",
            below=Number(below),
            count=Number(standing.sheets if standing else 0),
        )
        steps.append(Step(few, f"/reasons?{at}"))
    return steps
