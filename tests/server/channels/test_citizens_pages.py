"""What a citizen reads whose link is wrong: in the citizen's frame, with what can be done."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from pipeline.calendar import today
from pipeline.language import Text
from server.channels.online.invitations import issue
from server.rounds.rounds import make_round
from server.store.engine import write
from server.store.tables.rounds import invitations
from tests.server.client import Browser
from tests.server.province import Province, application, fill_province

STAFF = ("/log-in", "<nav", 'class="brand" href')


@pytest.fixture
def province(store: Engine) -> Province:
    return fill_province(store, "p1")


@pytest.fixture
def token(store: Engine, province: Province) -> str:
    with write(store) as connection:
        made = make_round(
            connection,
            province.province_id,
            code="R1",
            name=Text.named(vi="Đợt", en="Round"),
            instrument="2640",
            first_day=today() - 1,
            last_day=today() + 5,
            user_id=None,
        )
        return issue(connection, province.province_id, made.id, province.agencies["p1-a"])[0]


@pytest.mark.parametrize(
    ("path", "status"),
    [("/s/aaaaaaaaaaaaaaaaaaaaaa", 404), ("/s/", 404), ("/s/a/b", 404), ("/embed/x", 404), ("/feedback/no", 404)],
)
def test_a_wrong_link_is_told_in_the_citizens_frame(
    store: Engine, province: Province, tmp_path: Path, path: str, status: int
) -> None:
    answer = Browser(application(store, tmp_path)).get(path)
    assert answer.status_code == status
    assert 'class="citizen"' in answer.text
    assert "Quét lại mã QR" in answer.text
    assert [word for word in STAFF if word in answer.text] == []
    assert "Scan the code" in Browser(application(store, tmp_path)).get(f"{path}?lang=en").text


def test_an_expired_link_and_a_used_one_say_so(store: Engine, province: Province, tmp_path: Path, token: str) -> None:
    browser = Browser(application(store, tmp_path))
    page = browser.get(f"/s/{token}").text
    assert "23 câu, khoảng 3 phút" in page
    full = {f"q_{code}": "4" for code in ("overall", "A1", "A2", "A3", "A4", "B1", "B2", "B3", "B4", "B5", "C1", "C2")}
    sent = browser.http.post(f"/s/{token}", data={**full, "q_C3": "4", "q_E3": ""})
    assert sent.status_code == 200
    assert 'class="face face-5"' in sent.text, "a face that thanks"
    used = browser.get(f"/s/{token}")
    assert (used.status_code, "đã được dùng" in used.text) == (410, True)
    with write(store) as connection:
        connection.execute(invitations.update().values(used=False, expires_day=today() - 1))
    late = Browser(application(store, tmp_path)).get(f"/s/{token}")
    assert late.status_code == 410
    assert "nhận đường dẫn mới" in late.text
    assert [word for word in STAFF if word in late.text + used.text] == []


def test_what_may_be_left_out_can_be_said_not_to_concern(
    store: Engine, province: Province, tmp_path: Path, token: str
) -> None:
    page = Browser(application(store, tmp_path)).get(f"/s/{token}").text
    assert page.count("Không áp dụng") == 2, "the two questions that the instrument lets out"
    assert page.count('name="q_E3"') == 6
    assert page.count('name="q_A1"') == 5


def test_the_staff_s_errors_stay_the_staff_s(store: Engine, province: Province, tmp_path: Path) -> None:
    answer = Browser(application(store, tmp_path)).get("/no-such-page")
    assert answer.status_code == 404
    assert "/log-in" in answer.text
