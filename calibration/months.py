"""What the server hands over: one agency's month, split by service group, as exact ratings and noisy tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from calibration.ratings import DayCount
from calibration.tables import EvidenceTable
from pipeline.calendar import DayRange, require_disjoint
from pipeline.errors import StatisticsError
from pipeline.language import Message


@dataclass(frozen=True, slots=True)
class Stratum:
    """One service group of one agency and month.

    `transactions`: visits finished in the period, from the procedure system (the weight); None where unknown.
    `ratings`: exact counts by day and channel. `tables`: evidence of boxes that serve only this service group."""

    service_group: str
    transactions: int | None
    ratings: tuple[DayCount, ...]
    tables: tuple[EvidenceTable, ...] = ()

    def __post_init__(self) -> None:
        if self.transactions is not None and self.transactions < 0:
            raise StatisticsError(
                Message(
                    "Transactions of '{service_group}' cannot be negative: {transactions}.",
                    service_group=self.service_group,
                    transactions=self.transactions,
                )
            )


@dataclass(frozen=True, slots=True)
class AgencyMonth:
    """One agency in one period. `group`: agencies that share a response curve (same kind of counter and service).

    `shared_tables`: evidence of boxes that serve several of the strata."""

    agency: str
    group: str
    period: DayRange
    strata: tuple[Stratum, ...]
    shared_tables: tuple[EvidenceTable, ...] = ()

    def __post_init__(self) -> None:
        names = [stratum.service_group for stratum in self.strata]
        if len(set(names)) != len(names):
            raise StatisticsError(
                Message("Agency '{agency}' lists a service group twice: {names}.", agency=self.agency, names=names)
            )
        for stratum in self.strata:
            for count in stratum.ratings:
                if count.day not in self.period:
                    raise StatisticsError(
                        Message(
                            "A rating of '{agency}' on {day} lies outside the period {period}.",
                            agency=self.agency,
                            day=count.day,
                            period=self.period,
                        )
                    )
        for table in self.tables:
            if table.period is not None and not table.period.overlaps(self.period):
                raise StatisticsError(
                    Message(
                        "Evidence of '{agency}' for {period} lies outside the period {period_2}.",
                        agency=self.agency,
                        period=table.period,
                        period_2=self.period,
                    )
                )

    @property
    def tables(self) -> tuple[EvidenceTable, ...]:
        """All evidence of the agency in this period."""
        return (*self.shared_tables, *(table for stratum in self.strata for table in stratum.tables))

    @property
    def ratings(self) -> tuple[DayCount, ...]:
        """All ratings of the agency in this period."""
        return tuple(count for stratum in self.strata for count in stratum.ratings)


def require_disjoint_months(months: Sequence[AgencyMonth]) -> None:
    """Raise `StatisticsError` where one agency's periods overlap."""
    periods: dict[str, list[DayRange]] = {}
    for month in months:
        periods.setdefault(month.agency, []).append(month.period)
    for agency, of_agency in periods.items():
        require_disjoint(of_agency, f"agency {agency!r}")
