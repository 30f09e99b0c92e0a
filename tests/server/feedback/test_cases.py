"""Cases: an answer has words, days are working days, the longest overdue comes first, reminders, escalation, reopening,
what its writer thinks of the answer, what was changed."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from pipeline.calendar import day_date, day_index, month_of_day, period_of_months, today, vietnamese_holidays
from pipeline.errors import ConflictError, InvalidError, NotFoundError
from server.core.scope import Scope
from server.feedback.cases import Answer, case_state, judge, published_answers, remind, reopen_by_code, set_status
from server.feedback.deadlines import due_day, holidays_known
from server.feedback.feedback import code_digest, counts, items, receive
from server.indicators.counts import own_counts
from server.retention.survey import enforce_survey_retention
from server.store.engine import read, write
from server.store.tables.feedback import feedback
from server.store.tables.users import Role
from tests.server.client import Browser
from tests.server.province import Province, application, fill_province
from tests.server.worlds import agency_id, small_province

WORDS = Answer("Đã bổ sung người ở quầy 2.")


@pytest.fixture
def province(store: Engine) -> int:
    with write(store) as connection:
        return small_province(connection)


def _case(store: Engine, province: int, due_in: int = 21, agency: str = "so-a") -> tuple[int, str]:
    """A case that is due in so many days: its id and code."""
    with write(store) as connection:
        code = receive(connection, province, agency_id(connection, province, agency), category="delay", text="Trễ hẹn")
        mine = feedback.c.code_hash == code_digest(code)
        connection.execute(feedback.update().where(mine).values(due_day=today() + due_in))
        return int(connection.execute(select(feedback.c.id).where(mine)).scalar_one()), code


@pytest.mark.parametrize("status", ["answered", "rejected"])
@pytest.mark.parametrize("text", ["", "  \n "])
def test_nothing_is_answered_or_refused_without_words(store: Engine, province: int, status: str, text: str) -> None:
    number, _ = _case(store, province)
    with write(store) as connection:
        with pytest.raises(InvalidError, match="has words"):
            set_status(connection, province, number, status, None, answer=Answer(text))
        assert items(connection, province)[0].status == "received"
        set_status(connection, province, number, status, None, answer=WORDS)
        (one,) = items(connection, province)
        assert (one.status, one.answer, one.answered_day) == (status, WORDS.text, today())
        with pytest.raises(ConflictError):
            set_status(connection, province, number, "answered", None, answer=WORDS)


def test_the_longest_overdue_comes_first_and_is_never_left_out(store: Engine, province: int) -> None:
    for due in (3, -2, 9, -30, -5):
        _case(store, province, due)
    closed, _ = _case(store, province, -60)
    with write(store) as connection:
        set_status(connection, province, closed, "rejected", None, answer=WORDS)
        found = [one.due_day - today() for one in items(connection, province)]
        shown = [one.due_day - today() for one in items(connection, province, limit=2)]
    assert found == [-30, -5, -2, 3, 9, -60]
    assert shown == [-30, -5]


@pytest.mark.parametrize(
    ("came", "days", "due"),
    [
        (date(2026, 4, 24), 2, date(2026, 4, 29)),  # over a weekend and the day in lieu of Hùng Kings (27 April)
        (date(2026, 2, 13), 5, date(2026, 2, 27)),  # over Tết
        (date(2026, 8, 28), 2, date(2026, 9, 4)),  # over the National Day's four days
        (date(2026, 8, 21), 1, date(2026, 8, 22)),  # a Saturday worked instead
        (date(2026, 7, 1), 15, date(2026, 7, 22)),
    ],
)
def test_deadlines_are_working_days(came: date, days: int, due: date) -> None:
    assert day_date(due_day(day_index(came), days)) == due


@given(st.integers(day_index(date(2024, 1, 1)), day_index(date(2040, 1, 1))), st.integers(0, 40))
def test_no_day_is_without_a_deadline_and_none_is_later_for_an_old_file(day: int, days: int) -> None:
    """A year that the file lacks counts Mondays to Fridays: taken in all the same, and told."""
    due = due_day(day, days)
    assert due >= day
    if holidays_known(day) and holidays_known(due):
        assert day_date(due) == vietnamese_holidays().after(day_date(day), days)
    assert day_date(due).weekday() < 5 or day_date(due) in vietnamese_holidays().worked


def test_holidays_of_2040_are_not_known() -> None:
    assert not holidays_known(day_index(date(2040, 1, 1)))
    assert holidays_known(day_index(date(2026, 1, 1)))


def test_reminders_and_escalation_come_once(store: Engine, province: int) -> None:
    late, _ = _case(store, province, -1)
    near, _ = _case(store, province, 1)
    far, _ = _case(store, province, 30)
    done, _ = _case(store, province, -9)
    with write(store) as connection:
        set_status(connection, province, done, "answered", None, answer=WORDS)
        first, second = remind(connection, province), remind(connection, province)
        found = {one.id: one for one in items(connection, province)}
    assert ((first.reminded, first.escalated), (second.reminded, second.escalated)) == ((1, 1), (0, 0))
    assert {one.id for one in found.values() if one.escalated_day is not None} == {late}
    assert {one.id for one in found.values() if one.reminded_day is not None} == {near}
    assert (found[late].role, found[far].role) == (Role.ADMINISTRATOR, Role.DATA_ENTRY)


def test_more_is_asked_for_and_the_days_begin_anew(store: Engine, province: int) -> None:
    number, _ = _case(store, province, -3)
    with write(store) as connection:
        remind(connection, province)
        set_status(connection, province, number, "supplement", None)
        set_status(connection, province, number, "received", None)
        (one,) = items(connection, province)
        assert (one.due_day, one.escalated_day) == (due_day(today(), 15), None)
        other = agency_id(connection, province, "so-b")
        set_status(connection, province, number, "forwarded", None, responsible_id=other)
        assert items(connection, province)[0].responsible_id == other
        with pytest.raises(NotFoundError):
            set_status(connection, province, number, "forwarded", None, responsible_id=999)
        with pytest.raises(NotFoundError):
            set_status(connection, province + 1, number, "forwarded", None)


def test_like_dislike_and_reopening_by_code_feed_decision_766(store: Engine, province: int) -> None:
    month = month_of_day(today())
    period = period_of_months(month, month)
    cases = [_case(store, province) for _ in range(4)]
    with write(store) as connection:
        for number, _ in cases:
            set_status(connection, province, number, "answered", None, answer=WORDS)
        codes = [code for _, code in cases]
        assert judge(connection, codes[0].lower(), liked=True)
        assert judge(connection, codes[1], liked=False)
        assert reopen_by_code(connection, codes[2], "Vẫn chưa có kết quả.")
        assert not reopen_by_code(connection, codes[2], "")
        assert not judge(connection, codes[2], liked=True), "there is no answer now"
        assert not judge(connection, "KHONGCO", liked=True)
        agency = agency_id(connection, province, "so-a")
        own = own_counts(connection, Scope(province), period)[agency]
        assert (own.counts.petitions, own.counts.petitions_in_time, own.counts.petitions_good) == (3, 3, 2)
        assert own.open_petitions == 1
        set_status(connection, province, cases[2][0], "answered", None, answer=WORDS)
        own = own_counts(connection, Scope(province), period)[agency]
        (count,) = counts(connection, province, period)
        state = case_state(connection, codes[1])
    assert own.counts.astuple()[2:] == (4, 4, 2), "a dislike and a repeated petition are not answered well"
    assert (count.received, count.in_time, count.disliked, count.repeated) == (4, 4, 1, 1)
    assert state is not None
    assert (state.answer, state.liked, state.may_reopen) == (WORDS.text, False, True)


def test_reopening_has_its_days(store: Engine, province: int) -> None:
    number, code = _case(store, province)
    with write(store) as connection:
        set_status(connection, province, number, "answered", None, answer=WORDS)
        connection.execute(feedback.update().values(answered_day=today() - 60))
        assert not reopen_by_code(connection, code, "x")


def test_what_was_changed_is_public_only_with_its_answer(store: Engine, province: int) -> None:
    first, second = _case(store, province)[0], _case(store, province)[0]
    with write(store) as connection:
        with pytest.raises(InvalidError, match="mark the answer as public"):
            set_status(connection, province, first, "answered", None, answer=Answer("x", False, "Thêm quầy"))
        set_status(connection, province, first, "answered", None, answer=Answer("Đã sửa", True, "Thêm quầy"))
        set_status(connection, province, second, "answered", None, answer=Answer("Riêng cho người gửi"))
        (shown,) = published_answers(connection, province)
    assert (shown.answer, shown.changed) == ("Đã sửa", "Thêm quầy")


def test_answers_for_one_person_go_with_their_retention(store: Engine, province: int) -> None:
    first, second = _case(store, province)[0], _case(store, province)[0]
    with write(store) as connection:
        set_status(connection, province, first, "answered", None, answer=Answer("Công khai", True))
        set_status(connection, province, second, "answered", None, answer=Answer("Gửi ông A"))
        connection.execute(feedback.update().values(answered_day=today() - 91, due_day=today() - 91))
        enforce_survey_retention(connection, province)
        kept = {one.id: (one.answer, one.text) for one in items(connection, province)}
    assert kept == {first: ("Công khai", ""), second: ("", "")}


@pytest.fixture
def world(store: Engine, tmp_path: Path) -> tuple[Province, Browser, Browser]:
    mine = fill_province(store, "nho")
    app = application(store, tmp_path)
    clerk = Browser(app)
    clerk.log_in(mine.users[Role.DATA_ENTRY])
    return mine, clerk, Browser(app, "10.0.0.2")


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_a_case_by_its_pages(world: tuple[Province, Browser, Browser], store: Engine, lang: str) -> None:
    mine, clerk, citizen = world
    sent = {"agency": next(iter(mine.agencies.values())), "category": "delay", "text": "Trễ hẹn", "contact": ""}
    page = citizen.then(citizen.post("/feedback/nho", sent, form="/feedback/nho")).text
    found = re.search(r'id="code" class="codes">([A-Z2-9]{12})<', page)
    assert found
    with read(store) as connection:
        (one,) = items(connection, mine.province_id)
    due = day_date(one.due_day).strftime("%d/%m/%Y")
    assert f"chậm nhất ngày {due}" in page, "when the answer comes, and that the code is needed for it"
    assert "ghi lại" in page
    case = f"/survey/feedback/{one.id}"
    shown = clerk.get(f"{case}?lang={lang}").text
    assert (f"trả lời chậm nhất {due}" if lang == "vi" else f"answer by {due}") in shown, "that day is still in time"
    assert clerk.post(case, {"status": "answered"}, form=case).status_code == 422
    answer = {
        "status": "answered",
        "answer": "Đã trả kết quả",
        "public": "true",
        "changed": "Thêm người",
        "sure": "true",
    }
    assert clerk.post(case, answer, form=case).status_code == 303
    page = citizen.get(f"/feedback/nho?code={found[1]}&lang={lang}").text
    assert "Đã trả kết quả" in page
    assert "Thêm người" in page
    assert "Trễ hẹn" not in page, "the citizen's own words are not shown to whoever has the address"
    for what in ("dislike", "reopen"):
        form = {"code": found[1], "what": what, "more": "Vẫn chưa xong"}
        assert citizen.post("/feedback/nho/answer", form, form="/feedback/nho").status_code == 303
    assert "Vẫn chưa xong" in clerk.get(case).text
    assert clerk.get("/survey/feedback/999").status_code == 404


@pytest.mark.parametrize(
    ("answer", "seems"),
    [
        ("Kính gửi ông Nguyễn Văn Bình, hồ sơ của ông đã xong.", True),
        ("Hồ sơ H15.50.05.13-261008-0975 đã trả.", True),
        ("Liên hệ 0912 345 678 để nhận kết quả.", True),
        ("Từ ngày 01/10/2026 nhận hồ sơ đến 17h30, cả thứ bảy.", False),
        ("Đã bổ sung một cán bộ tiếp nhận.", False),
    ],
)
def test_who_publishes_is_told_what_seems_to_name_somebody(
    world: tuple[Province, Browser, Browser], store: Engine, answer: str, seems: bool
) -> None:
    """Official letters begin with a name; an answer for its holder alone may, one for everybody should not."""
    mine, clerk, _citizen = world
    with write(store) as connection:
        receive(connection, mine.province_id, next(iter(mine.agencies.values())), category="delay", text="Trễ hẹn")
        (one,) = items(connection, mine.province_id)
    case = f"/survey/feedback/{one.id}"
    told = "Có vẻ nội dung này cho biết"
    for part in ("answer", "changed"):
        form = {"status": "answered", "answer": "Đã xong", "public": "true", part: answer}
        assert (told in clerk.post(case, form, form=case).text) == seems
    alone = {"status": "answered", "answer": answer}
    assert told not in clerk.post(case, alone, form=case).text
