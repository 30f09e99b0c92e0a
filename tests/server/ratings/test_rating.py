"""A rating checks itself: what does not fit its instrument is none, whatever channel brought it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.instruments import RatingFlag, check_answers, drop_unasked, load_instrument
from server.ratings.rating import Place, Rating, Unfit, UnfitSheetError
from server.store.channels import CHANNELS, COUNTER_TABLET, PAPER, SMS, Form

ASKED = load_instrument("2640")
TODAY = 2_500
PLACE = Place(1, 1, None, None, 7)
GOOD = (4, *([4] * 3), *([0] * 28))
SHEETS = st.tuples(*[st.integers(0, 7)] * 32)


def _checked(answers: tuple[int, ...] = GOOD, **more: Any) -> Rating:
    given: dict[str, Any] = {"place": PLACE, "channel": COUNTER_TABLET, "day": TODAY, "today": TODAY}
    return Rating.checked(ASKED, answers, **{**given, **more})


def _at(slot: int, answer: int) -> tuple[int, ...]:
    return (*GOOD[:slot], answer, *GOOD[slot + 1 :])


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"answers": _at(1, 7)}, Unfit.OFF_SCALE),
        ({"answers": _at(0, 6)}, Unfit.OFF_SCALE),
        ({"answers": _at(31, 1)}, Unfit.UNUSED_SLOT),
        ({"answers": (0,) * 32}, Unfit.TOO_FEW),
        ({"answers": GOOD[:-1]}, Unfit.LENGTH),
        ({"reasons": 1 << 15}, Unfit.REASONS),
        ({"day": TODAY + 1}, Unfit.DAY),
        ({"day": 36_500 + TODAY}, Unfit.DAY),
        ({"day": -1}, Unfit.DAY),
        ({"flag": 15}, Unfit.FLAG),
    ],
)
def test_what_is_no_rating_says_why(more: dict[str, Any], reason: Unfit) -> None:
    with pytest.raises(UnfitSheetError) as caught:
        _checked(**more)
    assert caught.value.reason is reason


def test_every_reason_of_an_instrument_has_its_name_here() -> None:
    from pipeline.instruments import ProblemKind
    from server.ratings.rating import UNFIT_NAMES

    assert {kind.value for kind in ProblemKind} <= {reason.value for reason in Unfit} == set(UNFIT_NAMES)


def test_a_full_form_needs_its_share_and_a_part_of_it_does_not() -> None:
    few = (4, 4, *([0] * 30))
    assert _checked(few, channel=SMS).answers == few
    assert _checked(few, channel=PAPER, part=True).answers == few
    with pytest.raises(UnfitSheetError, match="too few"):
        _checked(few, channel=PAPER)


@given(answers=SHEETS, reasons=st.integers(0, 65_535), channel=st.sampled_from(list(CHANNELS)))
def test_no_channel_takes_what_another_refuses(answers: tuple[int, ...], reasons: int, channel: Any) -> None:
    """The same rule for all: the instrument's own, with the share of the form where the whole form was shown."""
    problems = check_answers(ASKED, answers, full_form=channel.form is Form.FULL, reasons=reasons)
    if problems:
        with pytest.raises(UnfitSheetError) as caught:
            _checked(answers, reasons=reasons, channel=channel)
        assert caught.value.reason == problems[0].kind.value
        return
    rating = _checked(answers, reasons=reasons, channel=channel)
    assert rating.answers == drop_unasked(ASKED, answers)
    assert not check_answers(ASKED, rating.answers, full_form=channel.form is Form.FULL, reasons=rating.reasons)
    assert rating.flag is RatingFlag.NONE
