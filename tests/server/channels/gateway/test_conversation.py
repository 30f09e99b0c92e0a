"""The SMS and telephone conversation as a state machine."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.instruments import check_answers, load_instrument
from server.channels.gateway.conversation import Conversation, Outcome, greeting, question, sheet, turn
from server.channels.gateway.understanding import read_input

ASKED = load_instrument("2640")


def _talk(*inputs: str) -> tuple[Conversation, Outcome, list[str]]:
    state, outcome, replies = Conversation(), Outcome.GOING_ON, []
    for text in inputs:
        assert outcome is Outcome.GOING_ON
        result = turn(ASKED, state, text)
        state, outcome = result.conversation, result.outcome
        replies.append(result.reply)
    return state, outcome, replies


@pytest.mark.parametrize(
    ("inputs", "answers", "outcome"),
    [
        (("5", "4", "3", "2", "1"), (5, 4, 3, 2, 1), Outcome.DONE),
        (("4", "0", "0", "0", "0"), (4, 0, 0, 0, 0), Outcome.DONE),
        (("năm", "BỐN", " 3 ", "2.", "Một"), (5, 4, 3, 2, 1), Outcome.DONE),
        (("x", "9", "5", "4", "?", "4", "4", "4"), (5, 4, 4, 4, 4), Outcome.DONE),
        (("5", "x", "y", "z", "4", "4", "4"), (5, 0, 4, 4, 4), Outcome.DONE),
        (("0", "x", "y"), (), Outcome.FAILED),
        (("DUNG",), (), Outcome.DECLINED),
        (("Từ chối?", "dừng"), (), Outcome.DECLINED),
        (("4", "3", "STOP"), (4, 3), Outcome.DONE),
        (("4", "#"), (4,), Outcome.DONE),
    ],
)
def test_conversations(inputs: tuple[str, ...], answers: tuple[int, ...], outcome: Outcome) -> None:
    state, ended, _ = _talk(*inputs)
    assert (state.answers, ended) == (answers, outcome)


def test_the_sheet_has_the_answers_in_the_instruments_slots() -> None:
    values = sheet(ASKED, (5, 4, 3, 2, 1))
    assert [values[ASKED.slot_of(code)] for code in ASKED.short] == [5, 4, 3, 2, 1]
    assert sum(1 for value in values if value) == 5
    assert check_answers(ASKED, values) == []


def test_it_says_who_asks_that_it_is_voluntary_and_how_to_stop() -> None:
    text = greeting(ASKED, "Sở Tư pháp")
    assert "Sở Tư pháp" in text
    assert "Tự nguyện" in text
    assert "DUNG" in text
    assert "1/5" in text
    assert "hash" in greeting(ASKED, "Justice", "en", spoken=True)
    assert "0 để bỏ qua" in question(ASKED, 1)
    assert "0 để bỏ qua" not in question(ASKED, 0)


@given(st.lists(st.text(max_size=30), max_size=40))
def test_any_input_ends_or_goes_on_and_never_leaves_the_scale(inputs: list[str]) -> None:
    state, outcome = Conversation(), Outcome.GOING_ON
    for text in inputs:
        if outcome is not Outcome.GOING_ON:
            break
        result = turn(ASKED, state, text)
        state, outcome = result.conversation, result.outcome
        assert all(0 <= answer <= 5 for answer in state.answers)
        assert len(state.answers) <= len(ASKED.short)
        assert result.reply
    if outcome is Outcome.DONE:
        assert state.answers[0] in (1, 2, 3, 4, 5)


@pytest.mark.parametrize(("text", "expected"), [("Không", None), ("55", None), ("", None), ("6 sao", None), ("#", -1)])
def test_inputs_that_are_no_answer(text: str, expected: int | None) -> None:
    assert read_input(text) == expected


def test_a_call_that_begins_hears_the_question_and_loses_no_try() -> None:
    state = Conversation()
    for _ in range(5):
        result = turn(ASKED, state, "", spoken=True)
        assert (result.conversation, result.outcome) == (state, Outcome.GOING_ON)
        assert result.reply == question(ASKED, 0, spoken=True)


def test_a_voice_never_begins_with_a_rebuke() -> None:
    first = turn(ASKED, Conversation(), "*", spoken=True)
    assert first.reply == question(ASKED, 0, spoken=True)
    second = turn(ASKED, first.conversation, "9", spoken=True)
    assert second.reply.startswith("Xin bấm một phím từ 1 đến 5.")


def test_the_dissatisfied_are_asked_again_how_much() -> None:
    result = turn(ASKED, Conversation(), "Không")
    assert result.outcome is Outcome.GOING_ON
    assert "1 (Rất không hài lòng)" in result.reply
    assert turn(ASKED, result.conversation, "không hài lòng").conversation.answers == (2,)
