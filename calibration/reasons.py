"""Why a figure is wide, missing or was not fused: codes with figures, never sentences. Who shows them has the words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Why(StrEnum):
    """The code of a reason. Named in braces: what comes with it."""

    NO_RATINGS = "no_ratings"
    """No ratings in this period."""
    NO_SERVICE_GROUPS = "no_service_groups"
    """The agency has no service group in this period."""
    ONE_RATING = "one_rating"
    """One rating: the interval is nearly the whole scale."""
    ALL_EQUAL = "all_equal"
    """All ratings are equal: the interval comes from their number alone."""
    CLUSTERED = "clustered"
    """Ratings of one day resemble each other: they count {times} times less."""
    FEWER_THAN_TWO = "fewer_than_two"
    """Fewer than two ratings: nothing to fuse with."""
    NO_TABLE = "no_table"
    """No evidence table that can be told from its noise."""
    SHARED_BOXES = "shared_boxes"
    """The service group's boxes serve others too: no table of its own."""
    FEW_PAIRS_BEFORE = "few_pairs_before"
    """Only {pairs} earlier pairs of level and rating: no curve."""
    DIFFERENT_RESPONSE = "different_response"
    """Service groups share boxes, and their response rates lie {spread} % apart (coefficient of variation, {low} to
    {high})."""
    RESPONSE_UNKNOWN = "response_unknown"
    """Service groups share boxes, and their response rates cannot be compared: transactions are not known."""
    FEW_PAIRS_NOW = "few_pairs_now"
    """Fewer than two ratings met a visit."""
    WEAK_SIGNAL = "weak_signal"
    """Correlation {rho} with {ratings} ratings and this noise would not narrow the interval."""
    CONTRADICTED = "contradicted"
    """The agency's own pairs lie far below its group's curve."""
    SELECTED = "selected"
    """Rated visits lie {z} standard errors off all visits in level."""
    SELECTION_UNSEEN = "selection_unseen"
    """A selection by level that moves the ratings' mean by less than {points} points would mostly go unseen."""
    GROUP_CONTRADICTED = "group_contradicted"
    """This period's pairs of the whole group contradict the earlier ones: nothing is fused or corrected."""
    RESTS_ON = "rests_on"
    """Its curve rests on {boxes} boxes; leaving any one of them out moves the corrected figure by {points} at most."""
    FEW_BOXES = "few_boxes"
    """Its curve rests on {boxes} boxes: too few to tell if one of them is wrong."""
    CORRECTION_CONTRADICTED = "correction_contradicted"
    """No correction: the agency's own pairs contradict its group's curve."""
    CORRECTION_NOISE = "correction_noise"
    """No correction: the tables' noise would move it by more than a selection that it could mend."""
    UNKNOWN_TRANSACTIONS = "unknown_transactions"
    """Transactions are not known for every service group: ratings are pooled without weights."""
    SILENT_GROUPS = "silent_groups"
    """No ratings of {groups}: their weight was given to the other service groups."""
    MORE_RATINGS_THAN_TRANSACTIONS = "more_ratings_than_transactions"
    """{ratings} ratings, more than {transactions} transactions: the weights are doubtful."""
    FEW_AREAS = "few_areas"
    """Fewer than five areas: nothing was borrowed."""
    BORROWS = "borrows"
    """Borrows from the other areas; its own figure weighs {trust}."""
    BORROWS_OVER_TIME = "borrows_over_time"
    """Borrows from its own {periods} earlier periods and from the other areas."""
    CHANGED_ABRUPTLY = "changed_abruptly"
    """The newest answers contradict what the area's past let expect: nothing was borrowed."""
    NO_VISITS = "no_visits"
    """No visits that can be told from noise."""
    FEW_PAIRS = "few_pairs"
    """{pairs} pairs of level and rating: too few."""
    NO_VARIATION = "no_variation"
    """Level or rating does not vary."""
    FEW_SHEETS = "few_sheets"
    """{sheets} sheets of the province answer every question asked for: too few."""
    NOTHING_EXPLAINED = "nothing_explained"
    """What the criteria explain of the overall answer cannot be told from nothing."""
    FEW_AGENCIES = "few_agencies"
    """{agencies} agencies: too few to compare."""
    AGENCIES_ALIKE = "agencies_alike"
    """Agencies do not differ beyond the error of their figures."""


@dataclass(frozen=True, slots=True)
class Reason:
    """A code with the figures that its words need, by name."""

    why: Why
    figures: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, why: Why, **figures: object) -> Reason:
        """A reason with its figures as they are to be written (`Reason.of(Why.SELECTED, z="+3.4")`)."""
        return cls(why, tuple((name, str(value)) for name, value in figures.items()))

    def __str__(self) -> str:
        values = "; ".join(f"{name}={value}" for name, value in self.figures)
        return f"{self.why}({values})" if values else str(self.why)

    @classmethod
    def parse(cls, text: str) -> Reason:
        """The reason that reads `text` as a string. Raises `ValueError` for an unknown code."""
        code, _, values = text.removesuffix(")").partition("(")
        pairs = (pair.partition("=") for pair in values.split("; ") if pair)
        return cls(Why(code), tuple((name, value) for name, _, value in pairs))
