"""Households in three stages: communes, villages within them, households within those; replacements and call-backs.

Communes and villages are drawn with probability proportional to their households (systematic, `calibration.sampling`),
then as many households in every village, at random: so every household of a commune and village that may be drawn has
about the same chance, their product. Everything follows from the seed.

A household that is not met is called again, at another time, before another takes its place: those who are easily met
are other people. A replacement stands for the household that it replaces in the village's weight, but is no answer in
the response rate. Figures are ratios weighted by chance over answers of the village; as chances at the first stage are
unequal, communes are taken as drawn with replacement (an upper estimate; Cochran 1977, ch. 11).

Sources: Madow 1949; Cochran 1977, ch. 11; Kish 1965, 13.6 (substitutes); AAPOR 2023 (response rates).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibration.sampling import draw_by_size
from calibration.stages import Stage, SurveyFigures, survey_ratio
from pipeline.errors import StatisticsError
from pipeline.language import Message

FloatArray = NDArray[np.float64]
CALLS: Final = 3
"""Calls, at different times of day, before a household that is not met is replaced."""


@dataclass(frozen=True, slots=True)
class Village:
    """Of the frame: names of commune and village, and its `households`."""

    commune: str
    name: str
    households: int


@dataclass(frozen=True, slots=True)
class HouseholdSettings:
    """`communes` of all, `villages` of each commune, `households` of each village, and as many further ones in order as
    `replacements`."""

    communes: int
    villages: int
    households: int
    replacements: int = 0
    seed: int = 1


@dataclass(frozen=True, slots=True)
class DrawnVillage:
    """A village that was drawn. `commune_chance`: of its commune; `village_chance`: of the village within it. `picks`:
    numbers in the village's list, from 1, ascending; `replacements`: further ones, in the order in which they step
    in."""

    village: Village
    commune_chance: float
    village_chance: float
    picks: tuple[int, ...]
    replacements: tuple[int, ...]

    @property
    def chance(self) -> float:
        """With which every household of the village was drawn."""
        return self.commune_chance * self.village_chance * len(self.picks) / self.village.households


def draw_households(frame: Sequence[Village], settings: HouseholdSettings) -> list[DrawnVillage]:
    """The draw, in the frame's order of communes and villages.

    Raises `StatisticsError` for an empty frame, a village twice, counts below one, and settings that cannot be."""
    chosen = settings
    if min(chosen.communes, chosen.villages, chosen.households) < 1 or chosen.replacements < 0:
        raise StatisticsError(Message("At least one commune, village and household is drawn."))
    if not frame or any(village.households < 1 for village in frame):
        raise StatisticsError(Message("The frame has villages with at least one household each."))
    members: dict[str, dict[str, Village]] = {}
    for village in frame:
        if village.name in members.setdefault(village.commune, {}):
            raise StatisticsError(
                Message(
                    "The village {village} of {commune} is there twice.", village=village.name, commune=village.commune
                )
            )
        members[village.commune][village.name] = village
    rng = np.random.default_rng(chosen.seed)
    communes = list(members.values())
    sizes = [sum(village.households for village in commune.values()) for commune in communes]
    taken, chance = draw_by_size(sizes, min(chosen.communes, len(communes)), rng)
    found = []
    for place in taken:
        villages = list(communes[place].values())
        kept, within = draw_by_size([v.households for v in villages], min(chosen.villages, len(villages)), rng)
        for number in kept:
            village = villages[number]
            order = (rng.permutation(village.households) + 1).tolist()
            picks = order[: chosen.households]
            further = order[chosen.households : chosen.households + chosen.replacements]
            found.append(DrawnVillage(village, chance[place], within[number], tuple(sorted(picks)), tuple(further)))
    return found


class Result(StrEnum):
    """How the last call at a household ended. `GONE`: nobody lives there: it is no household of the frame."""

    ANSWERED = "answered"
    REFUSED = "refused"
    NOT_MET = "not_met"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Contact:
    """A household of a drawn village after `calls` calls."""

    number: int
    calls: int
    result: Result


@dataclass(frozen=True, slots=True)
class VillageState:
    """What is left to do in a village: `call_again`: numbers not met that have calls left; `next_in`: replacements to
    go to now. `answered`: of the households drawn first; `replaced`: answers of replacements; `gone`; `unvisited`:
    drawn first, of which nothing is told yet."""

    drawn: DrawnVillage
    call_again: tuple[int, ...]
    next_in: tuple[int, ...]
    answered: int
    replaced: int
    gone: int
    unvisited: int

    @property
    def goes_on(self) -> bool:
        """Whether somebody is still to be gone to."""
        return bool(self.call_again or self.next_in or self.unvisited)

    @property
    def response_rate(self) -> float:
        """Answers of those drawn first over those of them that are households; replacements do not raise it."""
        eligible = len(self.drawn.picks) - self.gone
        return self.answered / eligible if eligible else 0.0

    @property
    def weight(self) -> float:
        """Households that every answer of the village stands for; 0 without one."""
        answers = self.answered + self.replaced
        living = 1.0 - self.gone / len(self.drawn.picks)
        return living * len(self.drawn.picks) / self.drawn.chance / answers if answers else 0.0


def village_state(drawn: DrawnVillage, contacts: Iterable[Contact], calls: int = CALLS) -> VillageState:
    """Where a village stands after its contacts, each household's last one.

    Raises `StatisticsError` for a household that was not drawn, one told twice, and a replacement that was gone to
    before its turn."""
    known: dict[int, Contact] = {}
    every = {*drawn.picks, *drawn.replacements}
    for contact in contacts:
        which = {"number": contact.number, "village": drawn.village.name, "commune": drawn.village.commune}
        if contact.number not in every:
            raise StatisticsError(
                Message("Household {number} of {village}, {commune} was not drawn.", **which),
                Message("Use the list, the numbers and the seed of the draw."),
            )
        if contact.number in known:
            raise StatisticsError(
                Message("Household {number} of {village}, {commune} is told twice.", **which),
                Message("Keep its last visit alone, with how many there were."),
            )
        if contact.calls < 1:
            raise StatisticsError(Message("Household {number} of {village}, {commune} has no visit.", **which))
        known[contact.number] = contact
    again: list[int] = []
    lost = 0
    for contact in (known[number] for number in drawn.picks if number in known):
        number = contact.number
        if contact.result is Result.NOT_MET and contact.calls < calls:
            again.append(number)
        elif contact.result is not Result.ANSWERED:
            lost += 1
    next_in: list[int] = []
    replaced = used = 0
    for number in drawn.replacements:
        stepped_in = known.get(number)
        if stepped_in is not None and used == lost:
            raise StatisticsError(
                Message("Household {number} of {village} stepped in before its turn: call again first.", number=number,
                        village=drawn.village.name)
            )  # fmt: skip
        if stepped_in is None:
            if used < lost:
                next_in.append(number)
                used += 1
        elif stepped_in.result is Result.ANSWERED:
            replaced += 1
            used += 1
        elif stepped_in.result is Result.NOT_MET and stepped_in.calls < calls:
            again.append(number)
            used += 1
    results = [known[number].result for number in drawn.picks if number in known]
    answered, gone = results.count(Result.ANSWERED), results.count(Result.GONE)
    return VillageState(drawn, tuple(again), tuple(next_in), answered, replaced, gone, len(drawn.picks) - len(results))


def household_ratio(
    states: Sequence[VillageState],
    above: Mapping[tuple[str, str], FloatArray],
    below: Mapping[tuple[str, str], FloatArray],
) -> SurveyFigures:
    """The ratio of weighted totals over all answers, such as satisfied over valid answers of each household. Raises
    `StatisticsError` where they do not fit."""
    parts: list[tuple[FloatArray, FloatArray, FloatArray, list[str]]] = []
    for state in states:
        key = (state.drawn.village.commune, state.drawn.village.name)
        over, under = (np.asarray(side.get(key, ()), dtype=np.float64) for side in (above, below))
        if over.shape != under.shape or len(over) != state.answered + state.replaced:
            raise StatisticsError(
                Message("The answers of {village} are not as many as its contacts tell.", village=key[1])
            )
        parts.append((over, under, np.full(len(over), state.weight), [key[0]] * len(over)))
    if not any(len(over) for over, *_ in parts):
        raise StatisticsError(Message("No household has answered."))
    over, under, weight = (np.concatenate([part[i] for part in parts]) for i in range(3))
    communes = [name for part in parts for name in part[3]]
    return survey_ratio(over, under, weight, [Stage.of(communes)])
