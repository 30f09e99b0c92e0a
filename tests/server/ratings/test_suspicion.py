"""Falsified ratings are flagged; honest ones are not; nothing but the flag is kept."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from sqlalchemy import Engine

from pipeline.instruments import RatingFlag, load_instrument
from pipeline.language import Text
from server.core.provinces import make_province, write_setting
from server.ratings.suspicion import NETWORK_A_DAY, ArrivalWatch, SuspicionRules
from server.store.channels import ONLINE, SMS, Channel
from server.store.engine import write

ASKED = load_instrument("2640")


def _sheet(criteria: Sequence[int], overall: int = 4) -> tuple[int, ...]:
    values = [overall, *criteria]
    return tuple(values + [0] * (32 - len(values)))


MIXED = _sheet([4, 5, 4, 3, 4, 5, 5, 4, 4, 4])
ALL_FOURS = _sheet([4] * 22)
ALL_FIVES = _sheet([5] * 22, 5)


@pytest.mark.parametrize(
    ("answers", "taken_s", "expected"),
    [
        (MIXED, 60.0, RatingFlag.NONE),
        (MIXED, None, RatingFlag.NONE),
        (MIXED, 2.0, RatingFlag.TOO_FAST),
        (ALL_FOURS, 120.0, RatingFlag.NONE),
        (ALL_FOURS, 30.0, RatingFlag.STRAIGHT_LINE),
        (_sheet([4, 4, 4, 4]), 6.0, RatingFlag.NONE),
    ],
)
def test_one_sheet(answers: tuple[int, ...], taken_s: float | None, expected: RatingFlag) -> None:
    watch = ArrivalWatch()
    assert watch.judge(ASKED, answers, place="p", taken_s=taken_s, device="d", network="n") is expected


def test_too_many_from_one_device() -> None:
    watch = ArrivalWatch()
    flags = [watch.judge(ASKED, MIXED, place="p", taken_s=90, device="d", network=str(n)) for n in range(5)]
    assert flags == [RatingFlag.NONE] * 3 + [RatingFlag.DEVICE_LIMIT] * 2
    assert watch.judge(ASKED, MIXED, place="p", taken_s=90, device="other") is RatingFlag.NONE


def test_a_series_of_best_answers_from_one_network_looks_like_staff() -> None:
    watch = ArrivalWatch()
    flags = [watch.judge(ASKED, ALL_FIVES, place="p", taken_s=90, device=str(n), network="office") for n in range(7)]
    assert flags == [RatingFlag.NONE] * 4 + [RatingFlag.STAFF_PATTERN] * 3
    assert watch.judge(ASKED, ALL_FIVES, place="p", taken_s=90, device="x", network="home") is RatingFlag.NONE
    assert watch.judge(ASKED, ALL_FIVES, place="q", taken_s=90, device="y", network="office") is RatingFlag.NONE


def test_a_burst_at_one_place() -> None:
    watch = ArrivalWatch(SuspicionRules(burst_ratings=10))
    flags = [watch.judge(ASKED, MIXED, place="p", taken_s=90, device=str(n)) for n in range(12)]
    assert flags == [RatingFlag.NONE] * 10 + [RatingFlag.BURST] * 2
    assert watch.judge(ASKED, MIXED, place="q", taken_s=90) is RatingFlag.NONE


def test_one_network_sends_so_many_sheets_a_day_about_one_agency() -> None:
    """Whoever prints links by the thousand sent thousands of them from his desk, mixed, with a new cookie each."""
    watch, devices = ArrivalWatch(SuspicionRules(burst_ratings=10_000)), itertools.count()

    def flags(times: int, place: str = "p", network: str = "desk", channel: Channel = ONLINE) -> list[RatingFlag]:
        return [
            watch.judge(
                ASKED, MIXED, place=place, channel=channel, taken_s=90, device=f"{next(devices)}", network=network
            )
            for _ in range(times)
        ]

    assert set(flags(NETWORK_A_DAY)) == {RatingFlag.NONE}
    assert set(flags(50)) == {RatingFlag.OVER_PLAN}
    assert set(flags(5, network="home") + flags(5, place="q")) == {RatingFlag.NONE}
    assert RatingFlag.OVER_PLAN not in flags(NETWORK_A_DAY + 5, network="", channel=SMS)


def test_thresholds_are_settings_of_the_province(store: Engine) -> None:
    with write(store) as connection:
        one, other = (make_province(connection, code, Text.named(vi=code)).province_id for code in ("a", "b"))
        assert SuspicionRules.of(connection, one) == SuspicionRules()
        write_setting(connection, one, "suspicion_burst_ratings", 4)
        write_setting(connection, one, "suspicion_fastest_s", 0.5)
        assert SuspicionRules.of(connection, one) == SuspicionRules(burst_ratings=4, fastest_s=0.5)
        assert SuspicionRules.of(connection, other) == SuspicionRules()


def test_what_tells_devices_apart_is_hashed_under_a_key_of_this_process() -> None:
    one, other = ArrivalWatch(), ArrivalWatch()
    assert one._hash("device", "d") != other._hash("device", "d")
    assert "10.0.0.1" not in one._hash("device", "10.0.0.1")
