"""Visits keep sums only, freeze once, forget on opt-out; presence starts and ends them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline.fusion import FusionParameters
from pipeline.records import (
    AbstainReason,
    ClosedVisit,
    FaceAffect,
    Level,
    LogRatios,
    Outcome,
    SpeechAffect,
    WordsAffect,
)
from pipeline.visit import (
    FIRST_UTTERANCES,
    MAX_GAP_S,
    WORTH_OF_PRIOR,
    Change,
    Presence,
    PresenceParameters,
    Visit,
    VoiceAtFirst,
)

HAPPY = FaceAffect(np.eye(8, dtype=np.float32)[1], LogRatios(-3.0, 5.0), 0.05)
LOOK_BACK_S = 180.0
SAD = FaceAffect(np.eye(8, dtype=np.float32)[3], LogRatios(5.0, -3.0), 0.05)


def visit_with(affect: FaceAffect, seconds: float = 10.0) -> Visit:
    visit = Visit(0.0, FusionParameters())
    for number in range(round(seconds * 10) + 1):
        visit.add_face(affect, number * 0.1)
    return visit


@pytest.mark.parametrize(("affect", "level"), [(HAPPY, Level.VERY_HIGH), (SAD, Level.VERY_LOW)])
def test_level_of_a_visit(affect: FaceAffect, level: Level) -> None:
    assert visit_with(affect).close(10.0) == ClosedVisit(level, Outcome.NOT_RATED, 0)


def test_a_frozen_level_does_not_move() -> None:
    visit = visit_with(HAPPY)
    frozen = visit.freeze(10.0)
    for number in range(1000):
        visit.add_face(SAD, 10.0 + number * 0.1)
    visit.add_speech(SpeechAffect(0.9, 5.0, 0.0, 5.0), 20.0)
    visit.add_words(WordsAffect.of((1.0, 0.0, 0.0), 0.0), 5.0, 20.0)
    visit.rate(1, 120.0, LOOK_BACK_S)
    assert visit.freeze(120.0) is frozen
    assert visit.close(120.0) == ClosedVisit(Level.VERY_HIGH, Outcome.NOT_SATISFIED, 0)


def faces(visit: Visit, affect: FaceAffect, first_s: float, last_s: float) -> None:
    for number in range(round((last_s - first_s) * 10)):
        visit.add_face(affect, first_s + number * 0.1)


def test_a_rating_looks_back_to_before_its_screen() -> None:
    visit = visit_with(HAPPY)
    visit.screen_shown(10.0)
    faces(visit, SAD, 10.0, 60.0)
    visit.rate(2, 60.0, LOOK_BACK_S)
    assert visit.close(60.0) == ClosedVisit(Level.VERY_HIGH, Outcome.NOT_SATISFIED, 0)


@pytest.mark.parametrize("left", [True, False])
def test_an_abandoned_screen_leaves_the_visit_as_if_it_had_not_been(left: bool) -> None:
    visit = visit_with(HAPPY, 3.0)
    visit.screen_shown(3.0)
    if left:
        visit.screen_left()
    faces(visit, SAD, 3.0, 60.0)
    assert visit.close(60.0).level is Level.VERY_LOW


def test_a_screen_held_open_does_not_choose_the_moment() -> None:
    visit = visit_with(HAPPY, 3.0)
    visit.screen_shown(3.0)
    faces(visit, SAD, 3.0, 200.0)
    visit.rate(1, 200.0, LOOK_BACK_S)
    assert visit.close(200.0).level is Level.VERY_LOW


def test_freezing_and_opting_out_forget_the_sums() -> None:
    frozen, opted_out = visit_with(HAPPY), visit_with(HAPPY)
    frozen.freeze(10.0)
    opted_out.opt_out()
    for visit in (frozen, opted_out):
        assert visit.sums.face.whole.total == visit.sums.face.seconds == 0
    assert opted_out.freeze(10.0).reason is AbstainReason.OPTED_OUT
    opted_out.add_face(HAPPY, 10.0)
    assert opted_out.close(20.0).level is Level.ABSTAINED


def test_a_gap_counts_for_no_more_than_its_cap() -> None:
    visit = Visit(0.0, FusionParameters())
    for time_s in (0.0, 0.1, 60.0):
        visit.add_face(HAPPY, time_s)
    assert visit.sums.face.seconds == pytest.approx(0.1 + MAX_GAP_S)


def test_memory_of_a_visit_does_not_grow_with_it() -> None:
    def fields_of(record: object) -> list[object]:
        if dataclasses.is_dataclass(record) and not isinstance(record, type):
            return [leaf for each in dataclasses.fields(record) for leaf in fields_of(getattr(record, each.name))]
        return [record]

    short, long = fields_of(visit_with(HAPPY, 1.0)), fields_of(visit_with(HAPPY, 300.0))
    assert len(short) == len(long)
    assert not any(isinstance(leaf, list | dict | set | np.ndarray | bytes) for leaf in long)


@pytest.mark.parametrize(
    ("overall", "outcome"),
    [(1, Outcome.NOT_SATISFIED), (3, Outcome.NOT_SATISFIED), (4, Outcome.SATISFIED), (5, Outcome.SATISFIED)],
)
def test_ratings(overall: int, outcome: Outcome) -> None:
    visit = visit_with(HAPPY)
    visit.rate(overall, 10.0, LOOK_BACK_S)
    assert visit.close(10.0).outcome is outcome


@pytest.mark.parametrize("overall", [0, 6, -1])
def test_a_rating_outside_the_scale_is_refused(overall: int) -> None:
    with pytest.raises(ValueError, match="1 to 5"):
        visit_with(HAPPY).rate(overall, 10.0, LOOK_BACK_S)


def changes(seen: list[tuple[float, bool]]) -> list[tuple[float, Change]]:
    presence = Presence(PresenceParameters(start_after_s=1.0, end_after_s=3.0))
    found = []
    for time_s, is_seen in seen:
        changed = presence.update(is_seen, time_s)
        if changed is not None:
            found.append((time_s, changed))
    return found


def every(step_s: float, until_s: float, *absences: tuple[float, float]) -> list[tuple[float, bool]]:
    times = np.arange(0, until_s, step_s).round(6).tolist()
    return [(time_s, not any(low <= time_s < high for low, high in absences)) for time_s in times]


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (every(0.5, 10), [(1.0, Change.BEGUN)]),
        (every(0.5, 10, (0, 20)), []),
        (every(0.5, 10, (0.5, 20)), []),  # a passer-by
        (every(0.5, 10, (4, 6)), [(1.0, Change.BEGUN)]),  # bends down for a paper
        (every(0.5, 12, (4, 10)), [(1.0, Change.BEGUN), (6.5, Change.ENDED), (11.0, Change.BEGUN)]),
        # the camera fails for a while: who is there afterwards has to go first
        (
            [*every(0.5, 4), *[(t + 9, s) for t, s in every(0.5, 12, (4, 8))]],
            [(1.0, Change.BEGUN), (9.0, Change.ENDED), (18.0, Change.BEGUN)],
        ),
        # a short one: it is no empty place
        (
            [*every(0.5, 4), *[(t + 5.8, s) for t, s in every(0.5, 6, (0, 6))]],
            [(1.0, Change.BEGUN), (8.8, Change.ENDED)],
        ),
    ],
)
def test_presence(seen: list[tuple[float, bool]], expected: list[tuple[float, Change]]) -> None:
    assert changes(seen) == expected


def test_a_voice_is_told_against_the_visits_first_utterances() -> None:
    """A visit whose voices sound negative from the start is less negative for that; one that turns so is not."""
    first, later = SpeechAffect(0.8, 1.3, 0.2, 2.0), SpeechAffect(0.8, 2.6, 0.2, 2.0)
    voice = VoiceAtFirst()
    assert [voice.beside(first) for _ in range(FIRST_UTTERANCES)] == [first] * FIRST_UTTERANCES
    told = voice.beside(later)
    share = FIRST_UTTERANCES / (FIRST_UTTERANCES + WORTH_OF_PRIOR)
    assert told.negative == pytest.approx(2.6 - share * 1.3)
    assert 0.5 < told.arousal < 0.8
    assert voice.beside(later) == told  # what came later does not move what was first
    assert VoiceAtFirst().beside(later) == later


def test_a_visit_keeps_no_voice_of_the_one_before() -> None:
    visit = Visit(0.0, FusionParameters())
    for _ in range(5):
        visit.add_speech(SpeechAffect(0.9, 2.0, 0.0, 2.0), 1.0)
    visit.opt_out()
    assert visit.sums.voice == VoiceAtFirst()


@pytest.mark.parametrize("arousal", [0.0, 1.0])
def test_a_sure_voice_stays_a_number(arousal: float) -> None:
    voice = VoiceAtFirst()
    found = [voice.beside(SpeechAffect(arousal, 40.0, 0.0, 1.0)) for _ in range(6)]
    assert all(0.0 <= one.arousal <= 1.0 for one in found)


@pytest.mark.parametrize(
    ("asks", "touches", "agreed"),
    [
        *((False, touches, True) for touches in ("", "n")),
        *((True, touches, touches == "y") for touches in ("", "y", "yn", "ny")),
    ],
)
def test_where_consent_is_asked_a_visit_begins_without_and_a_no_takes_it_back(
    asks: bool, touches: str, agreed: bool
) -> None:
    """Where none is asked an opt-out is no refusal of consent: it stays with those without a level."""
    visit = Visit(0.0, FusionParameters(), asks_consent=asks)
    for touch in touches:
        visit.agree() if touch == "y" else visit.opt_out()
    assert visit.close(60.0) == ClosedVisit(Level.ABSTAINED, Outcome.NOT_RATED, agreed=agreed)
