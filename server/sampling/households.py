"""A sample of households from files: the draw as a list for those who go there, and what came back of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.households import (
    CALLS,
    Contact,
    DrawnVillage,
    Result,
    Village,
    VillageState,
    household_ratio,
    village_state,
)
from calibration.intervals import t_quantile, wilson
from pipeline.errors import StatisticsError
from pipeline.language import Message, Number
from pipeline.text import match_key
from server.core.looks import ONE_LOOK
from server.tabular.lists import read_list
from server.tabular.spec import Cells
from server.tabular.values import read_whole

Say = Callable[..., str]
_COLUMNS: dict[str, tuple[str, ...]] = {
    "commune": ("xã", "phường", "xã, phường"),
    "village": ("thôn", "tổ dân phố", "thôn, tổ dân phố"),
    "households": ("số hộ",),
    "household": ("hộ", "số thứ tự hộ"),
    "calls": ("số lần đến",),
    "result": ("kết quả",),
    "satisfied": ("hài lòng",),
}
_RESULTS: dict[str, Result] = {
    **{match_key(result.value): result for result in Result},
    match_key("đã trả lời"): Result.ANSWERED,
    match_key("từ chối"): Result.REFUSED,
    match_key("không gặp"): Result.NOT_MET,
    match_key("không còn ở"): Result.GONE,
}


def read_frame(path: Path) -> list[Village]:
    """Villages of a file with the columns commune, village, households. Raises `InvalidError`."""

    def village(cells: Cells) -> Village:
        return Village(cells["commune"], cells["village"], read_whole(cells["households"], 1))

    return read_list(path, _COLUMNS, ("commune", "village", "households"), village)


Answers = dict[tuple[str, str], list[int]]
"""(commune, village) -> 1 satisfied, 0 not, of every household that answered."""


def read_contacts(path: Path, drawn: Sequence[DrawnVillage]) -> tuple[list[VillageState], Answers]:
    """States of the drawn villages, and their answers, from a file with the columns commune, village, household, calls,
    result, satisfied. Raises `InvalidError`, `StatisticsError`."""
    contacts: dict[tuple[str, str], list[Contact]] = {(one.village.commune, one.village.name): [] for one in drawn}
    satisfied: Answers = {key: [] for key in contacts}

    def contact(cells: Cells) -> tuple[tuple[str, str], Contact, str]:
        key, result = (cells["commune"], cells["village"]), _RESULTS.get(match_key(cells["result"]))
        given = cells.get("satisfied", "")
        if key not in contacts or result is None or (given not in ("0", "1") if result is Result.ANSWERED else given):
            names = ", ".join(one.value for one in Result)
            raise ValueError(
                Message("a village of the draw, one of {results}, and 1 or 0 where it answered", results=names)
            )
        return key, Contact(read_whole(cells["household"], 1), read_whole(cells["calls"], 1), result), given

    for key, one, given in read_list(path, _COLUMNS, ("commune", "village", "household", "calls", "result"), contact):
        contacts[key].append(one)
        if given:
            satisfied[key].append(int(given))
    return [village_state(one, contacts[one.village.commune, one.village.name]) for one in drawn], satisfied


def draw_text(drawn: Sequence[DrawnVillage], _: Say) -> str:
    """The list of the draw: a line for each village."""
    lines = [
        _("Numbers are those of the village's own list of households, from 1."),
        _(
            "Who is not met is called {calls} times, at different times of day, before the next replacement steps in.",
            calls=CALLS,
        ),
        "",
    ]
    for one in drawn:
        place = f"{one.village.commune}, {one.village.name} ({one.village.households})"
        lines.append(f"{place}: {' '.join(map(str, one.picks))}")
        if one.replacements:
            lines.append(
                "  " + _("replacements, in this order: {numbers}", numbers=" ".join(map(str, one.replacements)))
            )
        lines.append("  " + _("chance of each: {chance} %", chance=Number(100 * one.chance, 3)))
    return "\n".join(lines)


def state_text(states: Sequence[VillageState], satisfied: Answers, _: Say) -> str:
    """What is left to do in every village, response, and the weighted share with its interval."""
    lines = []
    for state in states:
        village = state.drawn.village
        todo = [
            (_("call again"), state.call_again),
            (_("step in now"), state.next_in),
        ]
        done = _(
            "{answered} of {drawn} answered, {replaced} replaced",
            answered=state.answered,
            drawn=len(state.drawn.picks),
            replaced=state.replaced,
        )
        left = [f"{words}: {' '.join(map(str, numbers))}" for words, numbers in todo if numbers]
        lines.append("; ".join([f"{village.commune}, {village.name}: {done}", *left]))
    lines += ["", _("Response without replacements: {rate} %", rate=Number(response_of(states), 1))]
    try:
        found = share_of(states, satisfied)
    except StatisticsError as error:
        return "\n".join([*lines, _(error.message)])
    lines.append(
        _(
            "Satisfied, weighted by chance: {share} % ({low} to {high} %), {answers} answers",
            share=Number(found.share, 1),
            low=Number(found.low, 1),
            high=Number(found.high, 1),
            answers=found.answers,
        )
    )
    if any(state.goes_on for state in states):
        lines.append(_(ONE_LOOK))
    return "\n".join(lines)


def response_of(states: Sequence[VillageState]) -> float:
    """Answers of those drawn first, percent of those of them that are households; replacements do not raise it."""
    eligible = sum(len(state.drawn.picks) - state.gone for state in states)
    return 100 * sum(state.answered for state in states) / eligible if eligible else 0.0


@dataclass(frozen=True, slots=True)
class Share:
    """Satisfied households, weighted by chance, with the interval at .95; percent."""

    share: float
    low: float
    high: float
    answers: int


def share_of(states: Sequence[VillageState], satisfied: Answers) -> Share:
    """The figure of a sample. Raises `StatisticsError` where there is no answer, or one commune alone."""
    above: dict[tuple[str, str], NDArray[np.float64]] = {
        key: np.array(values, dtype=np.float64) for key, values in satisfied.items()
    }
    found = household_ratio(states, above, {key: np.ones(len(values)) for key, values in above.items()})
    share, error_of = float(found.estimate[0]), float(found.error[0])
    answers = sum(len(values) for values in satisfied.values())
    n_eff = min(float(answers), share * (1 - share) / error_of**2) if error_of > 0 else float(found.degrees + 1)
    low, high = wilson(share, n_eff, t_quantile(found.degrees))
    return Share(100 * share, 100 * float(low), 100 * float(high), answers)
