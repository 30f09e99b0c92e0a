"""A box runs within a stated legal basis or not at all."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from edge.commands.check import check
from edge.config import load_config
from edge.legal import LegalSection
from pipeline.errors import ConfigError
from tests.edge.test_config import GOOD, write

UNSTATED = GOOD.replace('[legal]\nbasis = "consent"\n', "")
STATE = LegalSection(
    basis="state_activity",
    decision_number="45/QĐ-UBND",
    decision_date=date(2026, 6, 1),
    office="Văn phòng",
    complaints="0207 3822 222",
    last_check=date(2026, 6, 15),
)


@pytest.mark.parametrize("text", [UNSTATED, UNSTATED + "\n[legal]\n"])
def test_a_box_without_a_basis_refuses_naming_article_and_setting(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, text))
    said = str(caught.value)
    assert "[legal] basis" in said
    assert "Decree 356/2025/NĐ-CP, Art. 6.2-6.4" in said
    assert "19.1.c" in said
    assert "19.2" in said
    (finding,) = check(write(tmp_path, text), offline=True)
    assert finding.state == "wrong"
    assert 'basis = "consent"' in finding.fix


@pytest.mark.parametrize(
    ("legal", "said"),
    [
        ('basis = "none"', "legal.basis"),
        ('basis = "state_activity"', "needs decision_number, decision_date, office, complaints, last_check"),
        (
            'basis = "state_activity"\ndecision_number = " "\ndecision_date = 2026-06-01\noffice = "Văn phòng"\n'
            'complaints = ""\nlast_check = 2026-06-15',
            "needs decision_number, complaints",
        ),
        ('basis = "consent"\ndecision_number = "45"', "has no papers"),
        ('basis = "consent"\nlast_chek = 2026-06-15', "'legal.last_chek' is not known. Did you mean 'last_check'?"),
    ],
)
def test_papers_are_whole(legal: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, f"{UNSTATED}\n[legal]\n{legal}\n"))
    assert said in str(caught.value)


def test_a_check_is_warned_of_a_month_before_and_overdue_nobody_is_analysed() -> None:
    assert STATE.check_due == date(2027, 6, 15)
    assert STATE.warning(date(2027, 5, 14)) is None
    for day, allowed, said in (
        (date(2027, 5, 15), True, "is due on"),
        (date(2027, 6, 15), True, "is due on"),
        (date(2027, 6, 16), False, "nothing is analysed"),
        (date(2026, 6, 14), False, "of a day to come"),
        (None, False, "not trusted"),
    ):
        assert STATE.allows(day) is allowed, day
        assert said in str(STATE.warning(day))


@given(st.dates(date(2024, 1, 1), date(2030, 12, 31)), st.integers(1, 12))
def test_the_day_a_check_is_due_is_so_many_months_later(last: date, months: int) -> None:
    legal = STATE.model_copy(update={"last_check": last, "check_every_months": months})
    due = legal.check_due
    assert due is not None
    assert (due.year - last.year) * 12 + due.month - last.month == months
    assert due.day == last.day or (due.day < last.day and (due + timedelta(days=1)).day == 1)


def test_consent_holds_on_every_day_and_needs_no_clock() -> None:
    consent = LegalSection(basis="consent")
    assert consent.allows(None)
    assert consent.warning(None) is None
    with pytest.raises(ValidationError):
        LegalSection.model_validate({})
