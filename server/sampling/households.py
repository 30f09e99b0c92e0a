"""A sample of households from files: the draw as a list for those who go there, and what came back of it."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
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
from pipeline.errors import InvalidError, StatisticsError
from pipeline.language import Message, Number
from pipeline.text import match_key

Say = Callable[..., str]
_COLUMNS: dict[str, tuple[str, ...]] = {
    "commune": ("commune", "xã", "phường", "xã, phường"),
    "village": ("village", "thôn", "tổ dân phố", "thôn, tổ dân phố"),
    "households": ("households", "số hộ"),
    "household": ("household", "hộ", "số thứ tự hộ"),
    "calls": ("calls", "số lần đến"),
    "result": ("result", "kết quả"),
    "satisfied": ("satisfied", "hài lòng"),
}
_RESULTS: dict[str, Result] = {
    **{match_key(result.value): result for result in Result},
    match_key("đã trả lời"): Result.ANSWERED,
    match_key("từ chối"): Result.REFUSED,
    match_key("không gặp"): Result.NOT_MET,
    match_key("không còn ở"): Result.GONE,
}


def _rows(path: Path, needed: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """(number, cells) of every row. Raises `InvalidError` for other columns."""
    names = {match_key(text): name for name, texts in _COLUMNS.items() for text in texts}
    with path.open(encoding="utf-8-sig", newline="") as file:
        head = file.readline()
        file.seek(0)
        rows = csv.DictReader(file, delimiter=";" if head.count(";") > head.count(",") else ",")
        known = {column: names.get(match_key(column or "")) for column in rows.fieldnames or ()}
        if not set(needed) <= set(known.values()):
            raise InvalidError(
                Message("{file} needs the columns {columns}.", file=path.name, columns=", ".join(needed)),
                Message("One row for each village, or each household that was gone to."),
            )
        for number, row in enumerate(rows, 2):
            yield number, {name: (row[column] or "").strip() for column, name in known.items() if name is not None}


def _count(path: Path, number: int, text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= 1_000_000:
        raise InvalidError(
            Message(
                "Row {row} of {file}: '{text}' is no whole number above 0.", row=number, file=path.name, text=text[:40]
            ),
            Message("Mend the row."),
        )
    return int(text)


def read_frame(path: Path) -> list[Village]:
    """Villages of a CSV with the columns commune, village, households. Raises `InvalidError`."""
    needed = ("commune", "village", "households")
    return [
        Village(row["commune"], row["village"], _count(path, number, row["households"]))
        for number, row in _rows(path, needed)
    ]


Answers = dict[tuple[str, str], list[int]]
"""(commune, village) -> 1 satisfied, 0 not, of every household that answered."""


def read_contacts(path: Path, drawn: Sequence[DrawnVillage]) -> tuple[list[VillageState], Answers]:
    """States of the drawn villages, and their answers, from a CSV with the columns commune, village, household, calls,
    result, satisfied. Raises `InvalidError`, `StatisticsError`."""
    contacts: dict[tuple[str, str], list[Contact]] = {(one.village.commune, one.village.name): [] for one in drawn}
    satisfied: Answers = {key: [] for key in contacts}
    for number, row in _rows(path, ("commune", "village", "household", "calls", "result")):
        key, result = (row["commune"], row["village"]), _RESULTS.get(match_key(row["result"]))
        given = row.get("satisfied", "")
        told = given in ("0", "1") if result is Result.ANSWERED else not given
        if key not in contacts or result is None or not told:
            raise InvalidError(
                Message(
                    "Row {row} of {file}: a village of the draw, one of {results}, and 1 or 0 where it answered.",
                    row=number,
                    file=path.name,
                    results=", ".join(result.value for result in Result),
                ),
                Message("Mend the row."),
            )
        calls, household = (_count(path, number, row[name]) for name in ("calls", "household"))
        contacts[key].append(Contact(household, calls, result))
        if result is Result.ANSWERED:
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
    eligible = sum(len(state.drawn.picks) - state.gone for state in states)
    answered = sum(state.answered for state in states)
    rate = Number(100 * answered / eligible, 1) if eligible else Number(0.0, 1)
    lines += ["", _("Response without replacements: {rate} %", rate=rate)]
    above: dict[tuple[str, str], NDArray[np.float64]] = {
        key: np.array(values, dtype=np.float64) for key, values in satisfied.items()
    }
    try:
        found = household_ratio(states, above, {key: np.ones(len(values)) for key, values in above.items()})
    except StatisticsError as error:
        return "\n".join([*lines, _(error.message)])
    share, error_of = float(found.estimate[0]), float(found.error[0])
    answers = sum(len(values) for values in satisfied.values())
    n_eff = min(float(answers), share * (1 - share) / error_of**2) if error_of > 0 else float(found.degrees + 1)
    low, high = wilson(share, n_eff, t_quantile(found.degrees))
    lines.append(
        _(
            "Satisfied, weighted by chance: {share} % ({low} to {high} %), {answers} answers",
            share=Number(100 * share, 1),
            low=Number(100 * float(low), 1),
            high=Number(100 * float(high), 1),
            answers=answers,
        )
    )
    return "\n".join(lines)
