"""The words of the statistics' codes: verdicts, and reasons why a figure is wide, missing or was not fused."""

from __future__ import annotations

import re
from collections.abc import Iterable

from calibration.drift import DriftKind
from calibration.reasons import Reason, Why
from calibration.results import Estimate
from calibration.verdicts import Method, Verdict
from pipeline.language import Joined, Message, Number, translator

VERDICTS: dict[Verdict, Message] = {
    Verdict.EXPLICIT: Message("From ratings alone."),
    Verdict.NOT_CALIBRATED: Message("The implicit signal is not calibrated yet: nothing was fused."),
    Verdict.HELPED: Message("The implicit signal narrowed the interval."),
    Verdict.NO_GAIN: Message("The implicit signal adds nothing here: the explicit result stands."),
    Verdict.MISLEADS: Message("The implicit signal contradicts the ratings here: the explicit result stands."),
    Verdict.NOT_AT_RANDOM: Message(
        "Those who rated differ in level from all visits: the explicit result stands, read the corrected one."
    ),
    Verdict.CORRECTED: Message("Re-weighted to the implicit levels of all visits."),
    Verdict.TOO_FEW: Message("Too few ratings: the interval is very wide."),
    Verdict.NO_EVIDENCE: Message("No usable evidence table."),
    Verdict.NOT_SEPARABLE: Message("Service groups share a table but respond at different rates: not fused."),
    Verdict.SUPPRESSED: Message("Not shown: too little to publish."),
}

SHORT_VERDICTS: dict[Verdict, Message] = {
    Verdict.EXPLICIT: Message("not used"),
    Verdict.NOT_CALIBRATED: Message("not calibrated yet"),
    Verdict.HELPED: Message("narrower"),
    Verdict.NO_GAIN: Message("adds nothing"),
    Verdict.MISLEADS: Message("contradicts"),
    Verdict.NOT_AT_RANDOM: Message("read the corrected one"),
    Verdict.CORRECTED: Message("corrected"),
    Verdict.TOO_FEW: Message("too few ratings"),
    Verdict.NO_EVIDENCE: Message("no signal"),
    Verdict.NOT_SEPARABLE: Message("cannot be separated"),
    Verdict.SUPPRESSED: Message("not shown"),
}
"""For a column: what the implicit signal adds, in two or three words. What they mean stands once below the table."""


REASONS: dict[Why, Message] = {
    Why.NO_RATINGS: Message("No ratings in this period."),
    Why.NO_SERVICE_GROUPS: Message("No service groups in this period."),
    Why.ONE_RATING: Message("One rating only: the interval is nearly the whole scale."),
    Why.ALL_EQUAL: Message("All ratings are equal: the interval comes from their number alone."),
    Why.CLUSTERED: Message("Ratings of one day resemble each other: they count {times} times less."),
    Why.FEWER_THAN_TWO: Message("Fewer than two ratings: nothing to fuse with."),
    Why.NO_TABLE: Message("No evidence table that can be told from its noise."),
    Why.SHARED_BOXES: Message("Its boxes serve other service groups too: no table of its own."),
    Why.FEW_PAIRS_BEFORE: Message("{pairs} earlier pairs of level and rating."),
    Why.DIFFERENT_RESPONSE: Message(
        "Service groups share boxes, and their response rates differ by {spread} % ({low} to {high})."
    ),
    Why.RESPONSE_UNKNOWN: Message("Service groups share boxes, and their response rates cannot be compared."),
    Why.FEW_PAIRS_NOW: Message("Fewer than two ratings met a visit."),
    Why.WEAK_SIGNAL: Message("Correlation {rho} with {ratings} ratings and this noise would not narrow it."),
    Why.CONTRADICTED: Message("This agency's own pairs lie far below its group's curve."),
    Why.SELECTED: Message("Rated visits lie {z} standard errors off all visits in level."),
    Why.SELECTION_UNSEEN: Message(
        "A selection by level that moves the ratings' mean by less than {points} points would mostly go unseen."
    ),
    Why.GROUP_CONTRADICTED: Message(
        "This period's pairs of the whole group contradict the earlier ones: nothing is fused or corrected."
    ),
    Why.RESTS_ON: Message(
        "The levels' meaning rests on {boxes} boxes; without any one of them the corrected figure would move by "
        "at most {points} points."
    ),
    Why.FEW_BOXES: Message(
        "Boxes that the levels' meaning rests on: {boxes}. Too few to tell whether one of them is wrong."
    ),
    Why.CORRECTION_CONTRADICTED: Message("No correction: this agency's own pairs contradict its group's curve."),
    Why.CORRECTION_NOISE: Message(
        "No correction: the tables' noise would move it by more than the bias that it could mend."
    ),
    Why.UNKNOWN_TRANSACTIONS: Message(
        "Transactions are not known for every service group: ratings are pooled without weights."
    ),
    Why.SILENT_GROUPS: Message("No ratings of {groups}: its weight was given to the other service groups."),
    Why.MORE_RATINGS_THAN_TRANSACTIONS: Message(
        "More ratings ({ratings}) than transactions ({transactions}): the weights are doubtful."
    ),
    Why.FEW_AREAS: Message("Fewer than five areas: nothing was borrowed."),
    Why.BORROWS: Message("Borrows from the other areas; its own figure weighs {trust}."),
    Why.BORROWS_OVER_TIME: Message("Borrows from its own {periods} earlier periods and from the other areas."),
    Why.CHANGED_ABRUPTLY: Message("Changed abruptly against its own past: nothing was borrowed. Look at it."),
    Why.NO_VISITS: Message("No visits that can be told from noise."),
    Why.FEW_PAIRS: Message("{pairs} pairs of level and rating: too few."),
    Why.NO_VARIATION: Message("Level or rating does not vary."),
    Why.FEW_SHEETS: Message("{sheets} sheets of the province answer every question asked for: too few."),
    Why.NOTHING_EXPLAINED: Message("What the criteria explain of the overall answer cannot be told from nothing."),
    Why.FEW_AGENCIES: Message("{agencies} agencies: too few to compare."),
    Why.AGENCIES_ALIKE: Message("Agencies do not differ beyond the error of their indices."),
}
"""With the names of a reason's figures in braces."""


METHODS: dict[Method, Message] = {
    Method.EXPLICIT: Message("from sheets"),
    Method.EFFICIENCY: Message("combined estimate"),
    Method.CORRECTION: Message("corrected"),
    Method.SMALL_AREA: Message("borrowing strength"),
}


DRIFTS: dict[DriftKind, Message] = {
    DriftKind.LEVELS: Message("The shares of the levels changed."),
    DriftKind.ABSTENTION: Message("The share of visits without a level changed."),
    DriftKind.CALIBRATION: Message("Levels no longer go with ratings as they did."),
    DriftKind.SLOW: Message("The mean level is drifting slowly."),
}


def verdict_words(verdict: str) -> Message:
    """A verdict as a sentence."""
    return VERDICTS[Verdict(verdict)]


def reason_words(reason: Reason | str) -> Message:
    """A reason, or its text as tables hold it, as a sentence."""
    found = Reason.parse(reason) if isinstance(reason, str) else reason
    return REASONS[found.why].with_params(**{name: _figure(text) for name, text in found.figures})


def _figure(text: object) -> object:
    """A reason's figure as a number of the reader's language; what is no number stays."""
    found = re.fullmatch(r"([+]?)(-?\d+(?:\.(\d+))?)", str(text))
    return text if found is None else Joined((found[1], Number(float(found[2]), len(found[3] or ""))), "")


def reasons_words(texts: Iterable[str]) -> Joined:
    """Several reasons' texts as sentences."""
    return Joined((reason_words(text) for text in texts), " ")


def estimate_words(estimate: Estimate, lang: str) -> str:
    """An estimate in a few lines."""
    _ = translator(lang)

    def say(value: float, digits: int = 0) -> str:
        return _(Number(value, digits))

    low, high = (say(100 * end, 1) for end in (estimate.interval.low, estimate.interval.high))
    value = _("none") if estimate.estimate is None else say(100 * estimate.estimate, 1)
    name, level = _("Overall satisfaction"), say(100 * estimate.interval.level)
    lines = [
        f"{name}: {value}   [{level} %: {low} – {high}]   ({_(METHODS[estimate.method])})",
        f"n = {say(estimate.n)}   n_eff = {say(estimate.n_eff)}   N = {say(estimate.visits)}   "
        f"ρ = {say(estimate.rho, 2)}   λ = {say(estimate.lam, 2)}   deff = {say(estimate.design_effect, 2)}",
        _(VERDICTS[estimate.verdict]),
    ]
    if estimate.labels_saved > 0:
        lines.append(_("Worth {saved} more ratings.", saved=say(estimate.labels_saved)))
    return "\n".join([*lines, *(f"- {_(reason_words(reason))}" for reason in estimate.reasons)])
