"""Figures of the index against each other: how far one may be off, how two periods differ, what ranks are left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibration.changes import changes, level_of_each
from calibration.intervals import LEVEL
from calibration.ranks import RankSet, marginal_rank_set, rank_shares, smoothed_error
from calibration.sequences import at_every_look, sure
from pipeline.language import Message
from server.scores.figures import Figure, Place
from server.scores.index import WHOLE

RISES = Message("rises")
FALLS = Message("falls")
NO_DIFFERENCE = Message("no difference seen")
HIGHER = Message("is higher")
LOWER = Message("is lower")
NOT_COMPARABLE = Message("cannot be compared")


@dataclass(frozen=True, slots=True)
class Change:
    """A figure less another, in points of the index, with its interval."""

    points: float
    low: float
    high: float

    @property
    def words(self) -> Message:
        """What may be said: a difference only where the interval does not hold 0."""
        return RISES if self.low > 0 else FALLS if self.high < 0 else NO_DIFFERENCE

    @property
    def words_between(self) -> Message:
        """The same of two agencies, which neither rise nor fall against each other."""
        return {RISES: HIGHER, FALLS: LOWER}.get(self.words, NO_DIFFERENCE)


def effective(figure: Figure) -> float:
    """The answers that a figure would need if they did not hang together."""
    return (figure.valid or 0) / (figure.design_effect or 1.0)


def ranked_by(figure: Figure, among: int = 1) -> float:
    """The effective answers that a figure is ranked by `among` so many: of a period that is not over fewer, so that
    what is said of ranks holds at every look."""
    n = effective(figure)
    if not figure.watched:
        return n
    level = level_of_each(LEVEL, among)
    return float(at_every_look((figure.index or 0.0) / 100, sure(n, figure.degrees or 1.0), level))


def difference(now: Figure, before: Figure, lines: int = 1) -> Change | None:
    """`now` less `before` with its 95 % interval; None where either figure is missing.

    `lines`: how many differences are read together; their intervals hold all at once (`calibration.changes`). Figures
    that share answers differ by less than that: then it errs on the safe side."""
    return differences([(now, before)], lines)[0]


def differences(pairs: Sequence[tuple[Figure, Figure | None]], lines: int = 1) -> list[Change | None]:
    """`difference` of each pair (now, before); thousands of them in one go."""
    found: list[Change | None] = [None] * len(pairs)
    groups: dict[tuple[bool, bool], list[int]] = {}
    for place, (now, before) in enumerate(pairs):
        if now.index is not None and before is not None and before.index is not None:
            groups.setdefault((now.watched, before.watched), []).append(place)
    for (watched, watched_before), at in groups.items():
        ends = [
            np.array([(one.index or 0.0, effective(one), one.degrees or 1.0) for one in side if one is not None]).T
            for side in zip(*(pairs[place] for place in at), strict=True)
        ]
        (share, n, degrees), (share_before, n_before, degrees_before) = ends
        points = changes(
            share / 100,
            n,
            share_before / 100,
            n_before,
            degrees_now=degrees,
            degrees_before=degrees_before,
            lines=lines,
            watched=watched,
            watched_before=watched_before,
        )
        for place, *row in zip(at, *((100 * one).tolist() for one in points), strict=True):
            found[place] = Change(*row)
    return found


def ranking(places: Sequence[Place], item: str = WHOLE) -> list[RankSet]:
    """Rank sets of the agencies that have a figure; all hold at once with 95 %."""
    return rank_shares(*_known([(place.key, place.figure(item)) for place in places]))


def own_ranks(figures: Sequence[tuple[str, Figure]], code: str) -> RankSet | None:
    """The ranks of one agency alone among agencies (code, figure); None where it has no figure, or is alone.

    It holds with 95 % for whoever asks about this one agency; several agencies' beside each other are `ranking`."""
    shares, n_eff, names = _known(figures)
    if code not in names or len(names) < 2:
        return None
    return marginal_rank_set(shares, smoothed_error(shares, n_eff), names, names.index(code))


def _known(figures: Sequence[tuple[str, Figure]]) -> tuple[list[float], list[float], list[str]]:
    """(Shares, the effective answers that they are ranked by, names) of those that have a figure."""
    known = [(name, one) for name, one in figures if one.index is not None]
    shares = [(one.index or 0.0) / 100 for _, one in known]
    return shares, [ranked_by(one, len(known)) for _, one in known], [name for name, _ in known]
