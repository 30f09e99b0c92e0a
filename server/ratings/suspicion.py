"""Suspicion of falsified ratings, judged in memory where an answer arrives.

What is looked at (the time taken, the device, the network) is held in memory only, as keyed hashes under a key that is
new at every start, for a day at most. What is kept is one enumerated flag and the day. A flagged rating is set aside
and shown with its reason; a person may count it again.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Connection

from pipeline.instruments import NO_MORE, Instrument, RatingFlag
from pipeline.instruments.validation import value_at
from server.core.limits import RateLimiter
from server.core.provinces import read_settings
from server.ratings.rating import Rating
from server.store.channels import AskedBy, Channel


@dataclass(frozen=True, slots=True)
class SuspicionRules:
    """Thresholds. A rating is flagged above (or, for speeds, below) them."""

    fastest_s: float = 0.8
    """Seconds a question, below which nobody can have read it."""
    straight_s: float = 2.5
    """Seconds a question, below which the same answer to everything is not believed."""
    straight_answers: int = 8
    """Criteria that must have the same answer for a straight line."""
    device_a_day: int = 3
    burst_ratings: int = 30
    burst_window_s: float = 600.0
    staff_ratings: int = 5
    """Sheets of nothing but the best answer, one 4 at most, from one network within an hour."""
    repeats: int = 5
    """Identical full sheets in a row in an imported file."""

    @classmethod
    def of(cls, connection: Connection, province_id: int) -> SuspicionRules:
        """A province's thresholds: its settings `suspicion_*`, by default those above."""
        names = [f"suspicion_{field.name}" for field in fields(cls)]
        values = read_settings(connection, province_id, names)
        return cls(**{name.removeprefix("suspicion_"): value for name, value in values.items()})


def _criteria(instrument: Instrument, answers: Sequence[int], more: Mapping[int, int]) -> list[int]:
    given = (value_at(item.slot, answers, more) for item in instrument.criteria)
    return [value for value in given if value > 0]


NETWORK_A_DAY = 200
"""Planning figure: the most sheets about one agency that come from one network in a day, be it the hall's own. Links
can be had by the thousand by whoever prints them; networks cannot."""


class ArrivalWatch:
    """Judges ratings as they arrive on one server process."""

    def __init__(self, rules: SuspicionRules | None = None) -> None:
        self.rules = rules or SuspicionRules()
        self._key = secrets.token_bytes(32)
        self._devices = RateLimiter(self.rules.device_a_day, 86_400.0)
        self._bursts = RateLimiter(self.rules.burst_ratings, self.rules.burst_window_s)
        self._staff = RateLimiter(self.rules.staff_ratings - 1, 3_600.0)
        self._networks = RateLimiter(NETWORK_A_DAY, 86_400.0)
        self._hours: dict[str, RateLimiter] = {}

    def _hash(self, *parts: str) -> str:
        return hashlib.blake2b("\x00".join(parts).encode(), key=self._key, digest_size=16).hexdigest()

    def judge(
        self,
        instrument: Instrument,
        answers: Sequence[int],
        *,
        more: Mapping[int, int] = NO_MORE,
        place: str,
        channel: Channel | None = None,
        taken_s: float | None = None,
        device: str = "",
        network: str = "",
    ) -> RatingFlag:
        """The flag of one sheet (`answers`: 32 integers; `more`: further ones by slot). `place`: province, agency and
        channel, for bursts.

        `taken_s`: from showing the form to sending it, None where unknown. `device`, `network`: whatever tells them
        apart; hashed at once. `channel`: one that shows a form of this server expects its time back; of one that the
        staff fills in, `network` is the member of the staff, who cannot take more than twice the planned in an hour."""
        rules = self.rules
        given = _criteria(instrument, answers, more)
        answered = max(1, sum(1 for answer in (*answers, *more.values()) if answer))
        burst = not self._bursts.allow(self._hash("place", place))
        many = bool(device) and not self._devices.allow(self._hash("device", device))
        best = len(given) >= 3 and sum(given) >= 5 * len(given) - 1
        if channel is not None and channel.shows_form and taken_s is None:
            return RatingFlag.NO_FORM
        if channel is not None and channel.asked_by is AskedBy.STAFF:
            hour = self._hours.setdefault(channel.code, RateLimiter(max(1, channel.sheets_a_day // 4), 3_600.0))
            if not hour.allow(self._hash("hour", network)):
                return RatingFlag.OVER_PLAN
        by_self = channel is not None and channel.asked_by is AskedBy.SELF
        if by_self and network and not self._networks.allow(self._hash("network", place, network)):
            return RatingFlag.OVER_PLAN
        staff = best and bool(network) and not self._staff.allow(self._hash("staff", place, network))
        if taken_s is not None and taken_s < rules.fastest_s * answered:
            return RatingFlag.TOO_FAST
        straight = len(given) >= rules.straight_answers and len(set(given)) == 1
        if straight and taken_s is not None and taken_s < rules.straight_s * answered:
            return RatingFlag.STRAIGHT_LINE
        if burst:
            return RatingFlag.BURST
        if staff:
            return RatingFlag.STAFF_PATTERN
        if many:
            return RatingFlag.DEVICE_LIMIT
        return RatingFlag.NONE


class RepeatWatch:
    """Judges the rows of an imported file in their order: full sheets repeated one after the other."""

    def __init__(self, instrument: Instrument, rules: SuspicionRules | None = None) -> None:
        self._instrument = instrument
        self._rules = rules or SuspicionRules()
        self._last: tuple[Any, ...] = ()
        self._run = 0

    def flag(self, rating: Rating) -> RatingFlag:
        """The flag of a rating."""
        answers = rating.answers
        sheet = (rating.place.agency_id, rating.channel, answers, rating.more)
        self._run = self._run + 1 if sheet == self._last else 1
        self._last = sheet
        full = len(_criteria(self._instrument, answers, dict(rating.more))) >= self._rules.straight_answers
        return RatingFlag.DUPLICATE if full and self._run >= self._rules.repeats else RatingFlag.NONE
