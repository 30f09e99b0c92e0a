"""Every code of the statistics has words in both languages, and the figures that the words name."""

from __future__ import annotations

import re
import string

import pytest

from calibration.analysis import analyze
from calibration.reasons import Reason, Why
from calibration.simulate import Scenario, simulate_province
from calibration.verdicts import Method, Verdict
from pipeline.language import in_language
from server.scores.words import METHODS, REASONS, VERDICTS, estimate_words, reason_words


def test_every_code_has_words() -> None:
    assert set(VERDICTS) == set(Verdict)
    assert set(REASONS) == set(Why)


@pytest.mark.parametrize("why", list(Why))
def test_both_languages_name_the_same_figures(why: Why) -> None:
    vi, en = (
        {name for _, name, _, _ in string.Formatter().parse(words) if name}
        for words in (in_language(REASONS[why], "vi"), REASONS[why].msgid)
    )
    assert vi == en


def test_an_estimate_in_words() -> None:
    province = simulate_province(Scenario(agencies=4, months=4, rho=0.5, visits=(1500, 4000)))
    months = province.months
    last = analyze(months, period=months[-1].period).agencies[-1].fused.efficiency
    first = analyze(months, period=months[0].period).agencies[-1].fused.efficiency
    assert "Tín hiệu gián tiếp đã thu hẹp" in estimate_words(last, "vi")
    assert "narrowed" in estimate_words(last, "en")
    assert "0 earlier pairs of level and rating." in estimate_words(first, "en")
    assert "Các kỳ trước mới có 0 cặp" in estimate_words(first, "vi")
    assert reason_words(str(Reason.of(Why.SELECTED, z="+3.4"))) == (
        "Rated visits lie +3.4 standard errors off all visits in level."
    )


def test_figures_are_written_as_the_language_writes_them() -> None:
    """Also in a terminal, whose words are of a language: no English number, and no code, in Vietnamese."""
    reason = Reason.of(Why.RESTS_ON, boxes=1_400, points="-0.52")
    assert "1.400 thiết bị" in in_language(reason_words(reason), "vi")
    assert "−0,52 điểm" in in_language(reason_words(reason), "vi")
    assert "+3,4" in in_language(reason_words(Reason.of(Why.SELECTED, z="+3.4")), "vi")
    months = simulate_province(Scenario(agencies=4, months=4, rho=0.5, visits=(1500, 4000))).months
    for estimate in (one := analyze(months, period=months[-1].period).agencies[-1].fused).explicit, one.efficiency:
        said = estimate_words(estimate, "vi")
        assert not re.search(r"\d\.\d(?!\d\d)", said), said
        assert estimate.method.value not in said
    assert set(METHODS) == set(Method)
