"""The rights desk: deadlines by the calendar, the clock of 72 hours, what is logged, who may, the year's figures."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from pipeline.calendar import day_date, day_index, today
from pipeline.errors import ConflictError, InvalidError, NotFoundError
from server.core.changes import ACTIONS, verify_changes
from server.core.scope import Scope
from server.feedback.feedback import receive
from server.rights import incidents, requests
from server.store.engine import read, write
from server.store.schema import metadata
from server.store.tables.changes import changes
from server.store.tables.feedback import feedback, feedback_contacts
from server.store.tables.users import Role
from tests.server.client import Browser
from tests.server.province import Province, application, fill_province

TUESDAY = day_index(date(2026, 4, 28))
"""Two days before two public holidays and a weekend."""


@pytest.fixture
def province(store: Engine) -> Province:
    return fill_province(store, "p1")


@pytest.mark.parametrize(
    ("kind", "due"),
    [("view", date(2026, 5, 8)), ("withdraw", date(2026, 5, 13)), ("erase", date(2026, 5, 18))],
)
def test_deadlines_are_the_decrees(kind: str, due: date) -> None:
    """Two working days: 29 April and, after two holidays and a weekend, 4 May."""
    answer_due, done_by = requests.deadlines(kind, TUESDAY)
    assert day_date(answer_due) == date(2026, 5, 4)
    assert day_date(done_by) == due


def test_a_last_day_that_is_not_worked_moves_on() -> None:
    _, done_by = requests.deadlines("view", day_index(date(2026, 4, 21)))  # ends on 1 May, a holiday before a weekend
    assert day_date(done_by) == date(2026, 5, 4)


@pytest.mark.parametrize("day", [date(2027, 12, 20), date(2031, 3, 3), date(2024, 6, 1)])
def test_no_letter_is_turned_away_because_a_file_is_old(
    day: date, store: Engine, province: Province, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The holidays of some year are not known: from 12 December of the last known year on no request for erasure was
    taken, and in the next year the whole page failed."""
    now = max(today(), day_index(day))
    for module in ("server.rights.requests", "server.rights.page"):
        monkeypatch.setattr(f"{module}.today", lambda: now)
    browser = Browser(application(store, tmp_path))
    browser.log_in(province.users[Role.PRIVACY_OFFICER])
    form = {"kind": "erase", "reference": "7/CV", "received": f"{day:%d/%m/%Y}"}
    assert browser.post("/privacy/rights", form, form="/privacy/rights").status_code == 303
    page = browser.get("/privacy/rights")
    assert page.status_code == 200
    assert "7/CV" in page.text
    assert "caution" in page.text, "that Mondays to Fridays were counted is told"


def test_a_request_from_letter_to_outcome(store: Engine, province: Province) -> None:
    scope = Scope(province.province_id)
    with write(store) as connection:
        number = requests.take_in(connection, scope, "view", " 12/CV-ĐN ", today(), 1)
        late = requests.take_in(connection, scope, "erase", "13", TUESDAY, 1)
        requests.answer(connection, scope, number, 1)
        with pytest.raises(ConflictError):
            requests.answer(connection, scope, number, 1)
        with pytest.raises(InvalidError):
            requests.close(connection, scope, number, "sold", 1)
        requests.close(connection, scope, number, "explained", 1)
        with pytest.raises(ConflictError):
            requests.close(connection, scope, number, "explained", 1)
        found = requests.all_requests(connection, scope, day_date(today()).year)
    assert [(one.id, one.reference, one.late) for one in found] == [(late, "13", True), (number, "12/CV-ĐN", False)]
    assert found[0].answer_late
    assert found[0].working_days_left < 0
    assert found[1].outcome == "explained"


@pytest.mark.parametrize(
    ("kind", "reference", "day"),
    [("sell", "1", 0), ("view", "  ", 0), ("view", "1", 1)],
    ids=["kind", "blank", "future"],
)
def test_what_cannot_be_a_request_is_refused(
    store: Engine, province: Province, kind: str, reference: str, day: int
) -> None:
    with write(store) as connection, pytest.raises(InvalidError):
        requests.take_in(connection, Scope(province.province_id), kind, reference, today() + day, 1)


def test_the_clock_of_an_incident_runs_72_hours(
    store: Engine, province: Province, monkeypatch: pytest.MonkeyPatch
) -> None:
    scope, day = Scope(province.province_id), today()
    now = [(day, 9)]
    monkeypatch.setattr(incidents, "this_hour", lambda: now[0])
    with write(store) as connection:
        number = incidents.report(
            connection, scope, kind="data", reference="1", noticed_day=day, noticed_hour=9, people=3, user_id=1
        )
        for hours, left in ((0, 72), (71, 1), (72, 0), (73, -1)):
            now[0] = (day + (9 + hours) // 24, (9 + hours) % 24)
            found = incidents.find(connection, scope, number)
            assert (found.hours_left, found.late) == (left, left <= 0), "at 72 hours it is over"
        with pytest.raises(ConflictError, match="after it was notified"):
            incidents.close(connection, scope, number, 1)
        now[0] = (day + 3, 8)
        incidents.notify(connection, scope, number, 1)
        with pytest.raises(ConflictError):
            incidents.notify(connection, scope, number, 1)
        incidents.close(connection, scope, number, 1)
        now[0] = (day + 30, 0)
        assert not incidents.find(connection, scope, number).late, "what was in time stays so"
        assert incidents.year_counts(connection, scope, day_date(day).year) == (1, 1)
        with pytest.raises(InvalidError):
            incidents.report(
                connection,
                scope,
                kind="ai",
                reference="2",
                noticed_day=day + 31,
                noticed_hour=0,
                people=None,
                user_id=1,
            )


def test_figures_of_a_year_by_hand(store: Engine, province: Province) -> None:
    scope, year = Scope(province.province_id), day_date(today()).year
    with write(store) as connection:
        first = requests.take_in(connection, scope, "view", "1", today(), 1)
        requests.take_in(connection, scope, "view", "2", today(), 1)
        requests.take_in(connection, scope, "view", "3", day_index(date(year - 1, 12, 1)), 1)
        requests.close(connection, scope, first, "shown", 1)
        counts = {one.kind: one for one in requests.year_counts(connection, scope, year)}
    view = counts["view"]
    assert (view.received, view.answered_in_time, view.in_time, view.late, view.open) == (2, 1, 1, 0, 1)
    assert counts["erase"].received == 0


def test_a_feedback_is_erased_by_its_code_and_that_is_logged(store: Engine, province: Province) -> None:
    scope = Scope(province.province_id)
    with write(store) as connection:
        agency = province.agencies["p1-a"]
        code = receive(connection, scope.province_id, agency, category="delay", text="Lâu", contact="0912345678")
        requests.erase_feedback(connection, scope, f" {code.lower()} ", 1)
        with pytest.raises(NotFoundError):
            requests.erase_feedback(connection, scope, "NONE", 1)
        assert connection.execute(select(feedback.c.text)).scalars().all() == [""]
        assert connection.execute(select(feedback_contacts)).all() == []
        entry = connection.execute(select(changes).order_by(changes.c.position.desc())).first()
        assert entry is not None
        assert entry.action == "rights_erased"
        verify_changes(connection, scope.province_id)


def test_no_column_of_the_desk_could_hold_a_name_or_a_time() -> None:
    """Texts are codes and numbers of letters; a time is a day, of an incident an hour of the staff's."""
    for name in ("rights_requests", "incidents"):
        for column in metadata.tables[name].columns:
            assert not column.name.endswith("_s")
            assert getattr(column.type, "length", 0) in (0, None) or column.type.length <= 60  # type: ignore[attr-defined]


def test_the_page_does_it_all_and_logs_it(store: Engine, province: Province, tmp_path: Path) -> None:
    browser = Browser(application(store, tmp_path))
    browser.log_in(province.users[Role.PRIVACY_OFFICER])
    path = "/privacy/rights"
    posts = [
        (path, {"kind": "view", "reference": "7/ĐN"}),
        (f"{path}/1/answer", {}),
        (f"{path}/1/close", {"outcome": "explained"}),
        (f"{path}/incidents", {"kind": "data", "reference": "8", "hour": "0", "people": "12"}),
        (f"{path}/incidents/1/notify", {}),
        (f"{path}/incidents/1/close", {}),
    ]
    for where, form in posts:
        assert browser.post(where, {**form, "sure": "true"}, form=path).status_code == 303, where
    page = browser.get(path).text
    for words in ("7/ĐN", "Đã giải thích", "Mẫu 08", "12", "Không tìm được phiếu của một người"):
        assert words in page
    assert browser.post(path, {"kind": "view", "reference": "x", "received": "31/2/2026"}, form=path).status_code == 422
    assert browser.post(f"{path}/99/answer", form=path).status_code == 404
    assert browser.post(f"{path}/1/answer", form=path).status_code == 409
    with read(store) as connection:
        logged = [row.action for row in connection.execute(select(changes).order_by(changes.c.position))]
        details = [json.loads(row.detail) for row in connection.execute(select(changes))]
    wanted = ["rights_request", "rights_answered", "rights_closed", "incident", "incident_notified", "incident_closed"]
    assert [action for action in logged if action.startswith(("rights", "incident"))] == wanted
    assert set(wanted) <= set(ACTIONS)
    assert not any("7/ĐN" in str(detail) for detail in details), "the letter's number is not in the log"


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.PRIVACY_OFFICER])
def test_nobody_else_reads_the_desk(store: Engine, province: Province, tmp_path: Path, role: Role) -> None:
    browser = Browser(application(store, tmp_path))
    browser.log_in(province.users[role])
    assert browser.get("/privacy/rights").status_code == 403
