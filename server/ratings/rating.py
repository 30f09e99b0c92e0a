"""One voluntary answer sheet: the record that checks itself when it is made, whatever channel it came by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pipeline.calendar import month_of_day
from pipeline.errors import InvalidError
from pipeline.instruments import Instrument, Problem, RatingFlag, Sheet, check_answers, drop_unasked, kept_more
from pipeline.language import Joined, Message, Sentence
from server.ratings.sheet_answers import More
from server.store.channels import CHANNELS, Channel, Form
from server.store.tables.ratings import ANSWER_COLUMNS

MAX_ORIGIN = 400


class Unfit(StrEnum):
    """Why a sheet is no rating. The answers' own reasons are those of `pipeline.instruments.ProblemKind`."""

    LENGTH = "length"
    OFF_SCALE = "off_scale"
    NOT_YES_NO = "not_yes_no"
    UNUSED_SLOT = "unused_slot"
    TOO_FEW = "too_few"
    REASONS = "reasons"
    CHOICE = "choice"
    DAY = "day"
    FLAG = "flag"
    CHANNEL = "channel"


UNFIT_NAMES: dict[str, Message] = {
    Unfit.LENGTH: Message("Wrong number of answers"),
    Unfit.OFF_SCALE: Message("An answer off the scale of 1 to 5"),
    Unfit.NOT_YES_NO: Message("A fact that is neither yes nor no"),
    Unfit.UNUSED_SLOT: Message("A slot that the instrument does not use"),
    Unfit.TOO_FEW: Message("Too few answers"),
    Unfit.REASONS: Message("A reason that the instrument does not know"),
    Unfit.CHOICE: Message("An answer that is none of its question"),
    Unfit.DAY: Message("A day in the future, or none"),
    Unfit.FLAG: Message("An unknown mark of suspicion"),
    Unfit.CHANNEL: Message("An unknown channel"),
}
"""What pages show for a reason."""


class UnfitSheetError(InvalidError):
    """A sheet that is no rating: `reason` is the first that applies."""

    def __init__(self, reason: Unfit, message: Sentence) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Place:
    """Where the citizen was served: ids of the province's rows. `service_group`: 0 where it is not known.
    `handling_id`, `deciding_id`: who worked on the dossier and who decided, where that is another body."""

    province_id: int
    agency_id: int
    counter_id: int | None = None
    service_id: int | None = None
    service_group: int = 0
    handling_id: int | None = None
    deciding_id: int | None = None


@dataclass(frozen=True, slots=True)
class Rating:
    """A valid sheet. Made by `Rating.checked` alone.

    `day`: days since 2020-01-01 (UTC+7). `answers`: 32 integers, slot 0 the overall rating, 0 not answered, 1..5 the
    scale, 6 yes, 7 no. `more`: further answers, (slot, value) in order (`pipeline.instruments.kinds`). `reasons`: mask
    of the instrument's reasons. `flag`: suspicion raised where it arrived. `origin`: key of the form or of the file's
    row, so that the same one is stored once; None where there is none."""

    place: Place
    channel: Channel
    day: int
    instrument: str
    instrument_version: int
    answers: tuple[int, ...]
    reasons: int = 0
    flag: RatingFlag = RatingFlag.NONE
    origin: str | None = None
    more: More = ()

    @classmethod
    def checked(
        cls,
        instrument: Instrument,
        answers: Sequence[int] | Sheet,
        *,
        place: Place,
        channel: Channel,
        day: int,
        today: int,
        reasons: int = 0,
        flag: int = RatingFlag.NONE,
        origin: str | None = None,
        part: bool = False,
    ) -> Rating:
        """The rating of a sheet. Answers behind a filter that was answered no are left out, as the form tells.

        `answers`: 32 integers, or a sheet with further answers. `today`: the newest day that can be. `part`: only a
        part of the form was shown (a factor), so that the share of the whole form is not asked for. Raises
        `UnfitSheetError` with every problem of the answers."""
        if CHANNELS.get(channel.code) is not channel:
            raise UnfitSheetError(Unfit.CHANNEL, Message("There is no such channel."))
        if not 0 <= day <= today:
            raise UnfitSheetError(Unfit.DAY, Message("the day lies in the future"))
        if flag not in _FLAGS:
            raise UnfitSheetError(Unfit.FLAG, Message("There is no such suspicion."))
        if origin is not None and not 0 < len(origin) <= MAX_ORIGIN:
            raise ValueError(f"An origin has 1 to {MAX_ORIGIN} characters.")
        full = channel.form is Form.FULL and not part
        sheet = answers if isinstance(answers, Sheet) else Sheet(tuple(answers))
        problems: list[Problem] = check_answers(
            instrument, sheet.answers, more=sheet.more, full_form=full, reasons=reasons
        )
        if problems:
            raise UnfitSheetError(Unfit(problems[0].kind.value), Joined(problem.words for problem in problems))
        return cls(
            place,
            channel,
            day,
            instrument.code,
            instrument.version,
            drop_unasked(instrument, sheet.answers, sheet.more),
            reasons,
            RatingFlag(flag),
            origin,
            kept_more(instrument, sheet.answers, sheet.more),
        )

    def values(self) -> dict[str, Any]:
        """Columns of `ratings` that the sheet itself fills: all but state, source, author and day of receipt.

        `more` has rows of its own."""
        place = self.place
        return {
            "province_id": place.province_id,
            "agency_id": place.agency_id,
            "counter_id": place.counter_id,
            "service_id": place.service_id,
            "service_group": place.service_group,
            "handling_id": _another(place.handling_id, place.agency_id),
            "deciding_id": _another(place.deciding_id, place.agency_id),
            "channel": self.channel.code,
            "day": self.day,
            "month": month_of_day(self.day),
            "instrument": self.instrument,
            "instrument_version": self.instrument_version,
            **dict(zip(ANSWER_COLUMNS, self.answers, strict=True)),
            "reasons": self.reasons,
            "flag": int(self.flag),
            "origin": self.origin,
        }


def _another(body: int | None, agency_id: int) -> int | None:
    """A body, where it is not the one that received."""
    return None if body == agency_id else body


_FLAGS = frozenset(int(flag) for flag in RatingFlag)
