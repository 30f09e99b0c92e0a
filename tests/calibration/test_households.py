"""Households in three stages: chances as told, totals without bias, replacements in turn, intervals that cover."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from calibration.households import (
    Contact,
    DrawnVillage,
    HouseholdSettings,
    Result,
    Village,
    draw_households,
    household_ratio,
    village_state,
)
from calibration.intervals import t_quantile, wilson
from pipeline.errors import StatisticsError


def frame(seed: int = 1, communes: int = 30, villages: int = 6) -> list[Village]:
    rng = np.random.default_rng(seed)
    return [
        Village(f"xã {c}", f"thôn {v}", int(rng.integers(30, 200))) for c in range(communes) for v in range(villages)
    ]


def test_the_draw_follows_from_the_seed_and_has_its_sizes() -> None:
    settings = HouseholdSettings(communes=8, villages=2, households=10, replacements=4, seed=5)
    drawn = draw_households(frame(), settings)
    assert drawn == draw_households(frame(), settings)
    assert len({one.village.commune for one in drawn}) == 8
    assert len(drawn) == 16
    for one in drawn:
        assert len(one.picks) == 10
        assert len(one.replacements) == 4
        assert not {*one.picks} & {*one.replacements}
        assert max((*one.picks, *one.replacements)) <= one.village.households
        assert 0 < one.chance <= 1
    few = draw_households([Village("x", "a", 3)], HouseholdSettings(5, 5, 10, 4))
    assert (few[0].picks, few[0].replacements, few[0].chance) == ((1, 2, 3), (), 1.0)


def test_chances_are_those_with_which_villages_come() -> None:
    villages, runs = frame(2, communes=8, villages=3), 1200
    seen: Counter[Village] = Counter()
    chance: dict[Village, float] = {}
    for seed in range(runs):
        for one in draw_households(villages, HouseholdSettings(3, 1, 5, seed=seed)):
            seen[one.village] += 1
            chance[one.village] = one.commune_chance * one.village_chance
    for village in villages:
        expected = chance[village]
        assert abs(seen[village] / runs - expected) < 5 * np.sqrt(expected * (1 - expected) / runs)


def test_all_households_of_a_drawn_village_add_up_to_the_frame() -> None:
    villages = frame(3)
    total = sum(one.households for one in villages)
    sums = [
        sum(len(one.picks) / one.chance for one in draw_households(villages, HouseholdSettings(10, 2, 8, seed=seed)))
        for seed in range(150)
    ]
    assert np.mean(sums) == pytest.approx(total, rel=0.02)


def drawn_village() -> DrawnVillage:
    return DrawnVillage(Village("x", "a", 40), 0.5, 0.25, (3, 7, 11, 20), (5, 9, 2))


def test_nobody_is_replaced_before_three_calls() -> None:
    state = village_state(drawn_village(), [Contact(3, 2, Result.NOT_MET), Contact(7, 1, Result.ANSWERED)])
    assert state.call_again == (3,)
    assert state.next_in == ()
    state = village_state(drawn_village(), [Contact(3, 3, Result.NOT_MET), Contact(7, 1, Result.REFUSED)])
    assert state.next_in == (5, 9)
    with pytest.raises(StatisticsError, match="before its turn"):
        village_state(drawn_village(), [Contact(3, 2, Result.NOT_MET), Contact(5, 1, Result.ANSWERED)])


def test_a_replacement_that_fails_is_replaced_and_raises_no_response_rate() -> None:
    contacts = [
        Contact(3, 3, Result.NOT_MET),
        Contact(7, 1, Result.ANSWERED),
        Contact(11, 2, Result.ANSWERED),
        Contact(20, 1, Result.GONE),
        Contact(5, 1, Result.REFUSED),
        Contact(9, 1, Result.ANSWERED),
    ]
    state = village_state(drawn_village(), contacts)
    assert state.next_in == (2,)
    assert (state.answered, state.replaced, state.gone) == (2, 1, 1)
    assert state.response_rate == pytest.approx(2 / 3)
    # 40 households, of whose four drawn one is gone: 30, at a chance of 1/8 by three answers
    assert state.weight == pytest.approx(30 / 0.125 / 3)


@pytest.mark.parametrize(("number", "words"), [(4, "was not drawn"), (3, "is told twice")])
def test_households_that_were_not_drawn_or_told_twice_are_refused(number: int, words: str) -> None:
    with pytest.raises(StatisticsError, match=words):
        village_state(drawn_village(), [Contact(3, 1, Result.ANSWERED), Contact(number, 1, Result.ANSWERED)])


@pytest.mark.parametrize(
    ("villages", "settings"),
    [
        ([], HouseholdSettings(1, 1, 1)),
        ([Village("x", "a", 0)], HouseholdSettings(1, 1, 1)),
        ([Village("x", "a", 5), Village("x", "a", 6)], HouseholdSettings(1, 1, 1)),
        ([Village("x", "a", 5)], HouseholdSettings(0, 1, 1)),
        ([Village("x", "a", 5)], HouseholdSettings(1, 1, 1, -1)),
    ],
)
def test_frames_and_settings_that_cannot_be(villages: list[Village], settings: HouseholdSettings) -> None:
    with pytest.raises(StatisticsError):
        draw_households(villages, settings)


def test_the_interval_covers_on_yes_and_no() -> None:
    """Communes and villages differ; households answer yes or no; large communes are less satisfied: the plain share of
    answers is as good as the weighted one only because the draw is proportional to size."""
    villages, rng = frame(4, communes=40), np.random.default_rng(4)
    sizes = {one.commune: 0 for one in villages}
    for one in villages:
        sizes[one.commune] += one.households
    middle = np.median(list(sizes.values()))
    share = {
        (one.commune, one.name): float(
            np.clip(0.8 - 0.0004 * (sizes[one.commune] - middle) + rng.normal(0, 0.07), 0.02, 0.98)
        )
        for one in villages
    }
    truth = sum(share[one.commune, one.name] * one.households for one in villages) / sum(
        one.households for one in villages
    )
    held, errors = [], []
    for seed in range(200):
        drawn = draw_households(villages, HouseholdSettings(14, 3, 10, seed=seed))
        states = [village_state(one, [Contact(n, 1, Result.ANSWERED) for n in one.picks]) for one in drawn]
        good = {
            (s.drawn.village.commune, s.drawn.village.name): rng.binomial(
                1, share[s.drawn.village.commune, s.drawn.village.name], 10
            ).astype(np.float64)
            for s in states
        }
        found = household_ratio(states, good, {key: np.ones(10) for key in good})
        estimate, error = float(found.estimate[0]), float(found.error[0])
        low, high = wilson(estimate, estimate * (1 - estimate) / error**2, t_quantile(found.degrees))
        held.append(low <= truth <= high)
        errors.append(estimate - truth)
    assert abs(np.mean(errors)) < 0.006
    assert 0.92 <= np.mean(held) <= 0.985


def test_answers_that_do_not_fit_are_refused() -> None:
    state = village_state(drawn_village(), [Contact(3, 1, Result.ANSWERED)])
    with pytest.raises(StatisticsError, match="not as many"):
        household_ratio([state], {("x", "a"): np.ones(2)}, {("x", "a"): np.ones(2)})
    empty = village_state(drawn_village(), [])
    with pytest.raises(StatisticsError, match="No household"):
        household_ratio([empty], {}, {})
