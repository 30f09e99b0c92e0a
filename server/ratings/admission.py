"""The one gate before the store: whether a rating counts, or is set aside with its reason."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipeline.instruments import RatingFlag
from server.ratings.rating import Rating
from server.ratings.source import Source
from server.store.tables.ratings import RatingState


@dataclass(frozen=True, slots=True)
class Admitted:
    """A rating that has passed the gate, its source and its state. Made by `admit` alone."""

    rating: Rating
    source: Source
    state: RatingState


def admit(rating: Rating, source: Source, suspicion: RatingFlag = RatingFlag.NONE) -> Admitted:
    """Let a rating in: counted, or set aside where it arrived with a suspicion or bears the one found here."""
    flag = rating.flag or suspicion
    if flag is not rating.flag:
        rating = replace(rating, flag=flag)
    return Admitted(rating, source, RatingState.SET_ASIDE if flag else RatingState.COUNTED)
