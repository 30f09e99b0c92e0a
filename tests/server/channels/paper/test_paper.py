"""Paper: codes, print, double entry, decision, re-check, supervision."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, select

from pipeline.calendar import today
from pipeline.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from pipeline.instruments import RatingFlag, load_instrument
from pipeline.language import Text
from server.channels.paper.paper import (
    Entered,
    agreement,
    check_letter,
    enter_form,
    find_form,
    new_code,
    print_forms,
    read_code,
    recheck,
    supervision,
)
from server.channels.paper.paper_print import forms_pdf
from server.rounds.rounds import Round, make_round
from server.store.engine import insert_row, read, write
from server.store.tables.contacts import enumerators
from server.store.tables.ratings import RatingState, ratings
from server.store.tables.users import Role, users
from tests.server.province import Province, fill_province

SHEET = (4, *([4, 5, 3] * 7), 4, *([0] * 9))


def _round(store: Engine, province: Province) -> Round:
    with write(store) as connection:
        return make_round(
            connection,
            province.province_id,
            code="r",
            name=Text.named(vi="Đợt"),
            instrument="2640",
            first_day=today() - 30,
            last_day=today() + 30,
            user_id=None,
        )


def _users(store: Engine, province: Province) -> tuple[int, int]:
    with read(store) as connection:
        rows = connection.execute(select(users.c.role, users.c.id).where(users.c.province_id == province.province_id))
        ids = {row.role: row.id for row in rows}
    return ids[Role.DATA_ENTRY], ids[Role.ANALYST]


def test_codes_find_wrong_letters_and_swapped_neighbours() -> None:
    code = new_code()
    assert read_code(f" {code[:4].lower()}-{code[4:]} ") == code
    letters = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
    wrong = [code[:k] + letter + code[k + 1 :] for k in range(8) for letter in letters if letter != code[k]]
    swapped = [code[:k] + code[k + 1] + code[k] + code[k + 2 :] for k in range(7) if code[k] != code[k + 1]]
    for text in (*wrong, *swapped, "", code[:-1], code + "2", "????????"):
        with pytest.raises(InvalidError):
            read_code(text)
    assert check_letter(code[:-1]) == code[-1]


def test_forms_are_drawn_for_double_entry_and_recheck_when_printed(store: Engine) -> None:
    province = fill_province(store, "nho")
    survey_round, agency = _round(store, province), province.agencies["nho-a"]
    with write(store) as connection:
        codes = print_forms(
            connection, province.province_id, survey_round.id, agency, count=40, double_share=0.25, recheck_share=0.1
        )
        forms = [find_form(connection, province.province_id, code) for code in codes]
    assert len(set(codes)) == 40
    assert sum(form.double_entry for form in forms) == 10
    assert sum(form.recheck for form in forms) == 4
    pdf = forms_pdf(
        load_instrument("2640"),
        codes[:2],
        province=Text.named(vi="Tỉnh"),
        agency=Text.named(vi="Sở"),
        round_name="r",
        simulated=True,
    )
    assert pdf.startswith(b"%PDF")


def test_double_entry_agreement_decision_and_recheck(store: Engine) -> None:
    province = fill_province(store, "nho")
    survey_round, agency, number = _round(store, province), province.agencies["nho-a"], province.province_id
    clerk, analyst = _users(store, province)
    other = tuple(5 if slot == 3 else answer for slot, answer in enumerate(SHEET))
    with write(store) as connection:
        person = insert_row(
            connection,
            enumerators,
            {"province_id": number, "code": "BD1", "name": "A", "active": True, "expires_day": today() + 9,
             "organisation": "", "phone": ""},
        )  # fmt: skip
        first, second = print_forms(
            connection,
            number,
            survey_round.id,
            agency,
            count=2,
            enumerator_id=person,
            double_share=1.0,
            recheck_share=1.0,
        )
        assert enter_form(connection, number, find_form(connection, number, first), SHEET, user_id=clerk) is (
            Entered.WAITING
        )
        with pytest.raises(ForbiddenError, match="Somebody else"):
            enter_form(connection, number, find_form(connection, number, first), SHEET, user_id=clerk)
        form = find_form(connection, number, first)
        assert enter_form(connection, number, form, SHEET, user_id=analyst) is Entered.AGREED
        with pytest.raises(ConflictError, match="has been entered"):
            enter_form(connection, number, find_form(connection, number, first), SHEET, user_id=analyst)

        enter_form(connection, number, find_form(connection, number, second), SHEET, user_id=clerk)
        form = find_form(connection, number, second)
        assert enter_form(connection, number, form, other, user_id=analyst) is Entered.DIFFERS
        with pytest.raises(ConflictError, match="waits for a decision"):
            enter_form(connection, number, find_form(connection, number, second), other, user_id=clerk)
        form = find_form(connection, number, second)
        for who in (clerk, analyst):
            with pytest.raises(ForbiddenError, match="may not decide"):
                enter_form(connection, number, form, other, user_id=who, decide=True)
        third = connection.execute(select(users.c.id).where(users.c.name == province.users[Role.ADMINISTRATOR]))
        decided = enter_form(connection, number, form, other, user_id=third.scalar_one(), decide=True)
        assert decided is Entered.DECIDED

        found = agreement(connection, number, survey_round.id)
        assert (found.forms, found.same_forms, found.fields, found.same_fields) == (2, 1, 46, 45)
        assert found.differing_slots == {3: 1}

        recheck(connection, number, find_form(connection, number, first), "same", analyst)
        recheck(connection, number, find_form(connection, number, second), "differs", analyst)
        with pytest.raises(ConflictError, match="has been re-checked"):
            recheck(connection, number, find_form(connection, number, first), "same", analyst)
        (row,) = supervision(connection, number, survey_round.id)
        assert (row.code, row.forms, row.entered, row.to_recheck, row.confirmed, row.differing) == (
            "BD1",
            2,
            2,
            0,
            1,
            1,
        )
        kept = connection.execute(select(ratings).where(ratings.c.channel == "paper").order_by(ratings.c.id)).all()
    assert [(row.origin, row.flag, row.state) for row in kept] == [
        (f"form:{first}", 0, RatingState.COUNTED),
        (f"form:{second}", RatingFlag.INCONSISTENT, RatingState.SET_ASIDE),
    ]
    assert kept[1].a03 == 5


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ((4, *([0] * 31)), "too few"),
        ((4, 6, *([4] * 21), *([0] * 9)), "A1"),
        ((4, *([4] * 22), 1, *([0] * 8)), "not used"),
    ],
)
def test_sheets_that_are_not_valid_are_refused(store: Engine, answers: tuple[int, ...], message: str) -> None:
    province = fill_province(store, "nho")
    survey_round, agency = _round(store, province), province.agencies["nho-a"]
    clerk, _ = _users(store, province)
    with write(store) as connection:
        (code,) = print_forms(connection, province.province_id, survey_round.id, agency, count=1, double_share=0)
        form = find_form(connection, province.province_id, code)
        with pytest.raises(InvalidError, match=message):
            enter_form(connection, province.province_id, form, answers, user_id=clerk)


def test_a_form_of_another_province_is_not_found(store: Engine) -> None:
    mine, theirs = fill_province(store, "nho"), fill_province(store, "khac")
    survey_round = _round(store, theirs)
    with write(store) as connection:
        agency = theirs.agencies["khac-a"]
        (code,) = print_forms(connection, theirs.province_id, survey_round.id, agency, count=1)
        with pytest.raises(NotFoundError, match="No form"):
            find_form(connection, mine.province_id, code)
        with pytest.raises(NotFoundError, match="no such round"):
            print_forms(connection, mine.province_id, survey_round.id, mine.agencies["nho-a"], count=1)
