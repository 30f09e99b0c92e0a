"""The tablet's sheets over real HTTP: what is touched, sent, kept, forgotten."""

from __future__ import annotations

import html

import pytest

from pipeline.instruments.flags import RatingFlag
from tests.edge.tablet.conftest import TOKEN, Tablet


def test_the_engine_knows_before_the_first_question_shows(one: Tablet) -> None:
    page = one.begin()
    assert one.visits.calls == ["shown"]
    assert "Câu 1/1" in page.text
    page = one.answer(page, 5)
    assert page.url.path == "/thanks"
    assert one.visits.calls == ["shown", "rated 5"]
    assert [(row.answers[0], row.reasons, row.flag, row.instrument) for row in one.rows] == [(5, 0, 0, 201)]


def test_nine_questions_and_reasons_at_three_or_below(kiosk: Tablet) -> None:
    page = kiosk.begin()
    for number in range(1, 10):
        assert f"Câu {number}/9" in page.text
        page = kiosk.answer(page, 3)
    assert "chưa hài lòng" in page.text
    assert kiosk.rows == []
    page = kiosk.client.post(f"{page.url}/send", data={"reason": ["0", "3", "15", "x"]})
    assert page.url.path == "/thanks"
    (row,) = kiosk.rows
    assert sum(1 for answer in row.answers if answer == 3) == 9
    assert row.answers[0] == 3
    assert row.reasons == 0b1001  # bit 15 is no reason of this instrument
    assert kiosk.visits.calls == ["shown", "rated 3"]


def test_an_optional_question_may_be_skipped_and_another_may_not(kiosk: Tablet) -> None:
    page = kiosk.touch(4)
    assert kiosk.answer(page, 0).status_code == 400
    for _ in range(7):
        assert "Không áp dụng" not in page.text
        page = kiosk.answer(page, 4)
    assert "Không áp dụng" in page.text
    page = kiosk.answer(page, 0)
    assert page.url.path == "/thanks"
    assert sum(1 for answer in kiosk.rows[0].answers if answer) == 8


def test_going_back_asks_again(short: Tablet) -> None:
    page = short.begin()
    page = short.answer(page, 1)
    assert "Câu 2/5" in page.text
    page = short.client.post(f"{page.url}/back")
    assert "Câu 1/5" in page.text
    for _ in range(5):
        page = short.answer(page, 5)
    assert short.rows[0].answers[0] == 5


def test_the_first_touch_on_a_face_is_the_overall_answer(one: Tablet) -> None:
    assert one.touch(5).url.path == "/thanks"
    assert one.visits.calls == ["shown", "rated 5"]
    assert [row.answers[0] for row in one.rows] == [5]
    assert one.rows[0].flag == RatingFlag.NONE, "one touch is as fast as can be, and no sign of a machine"


@pytest.mark.parametrize("value", ["0", "6", "x", "5 ", "²"])
def test_a_touch_on_no_face_answers_nothing(one: Tablet, value: str) -> None:
    page = one.client.post("/begin", data={"page_token": one.page_token(), "value": value})
    assert "Câu 1/1" in page.text
    one.wait(40.0)
    assert one.rows == []


def test_what_was_touched_first_is_kept_on_time_out_and_nothing_else(short: Tablet) -> None:
    """An overall-only answer, and counted as that: the other answers of a sheet that was left go nowhere."""
    page = short.touch(2)
    assert "Câu 2/5" in page.text
    assert "Đánh giá của Ông/Bà: Không hài lòng" in html.unescape(page.text)
    page = short.answer(page, 4)
    assert "Câu 3/5" in page.text
    short.wait(30.0)
    assert short.rows == [], "the page still asks whether somebody is there"
    short.wait(4.0)
    (row,) = short.rows
    assert (row.answers[0], sum(row.answers), row.reasons, row.flag) == (2, 2, 0, 0)
    assert short.visits.calls == ["shown", "rated 2"]
    assert short.answer(page, 5, slot="1").url.path == "/over"
    assert short.touch(5).url.path == "/already"
    short.wait(100.0)
    assert len(short.rows) == 1


def test_the_page_tells_that_nobody_is_there_any_more(short: Tablet) -> None:
    page = short.touch(4)
    assert short.client.post(f"{page.url}/left").url.path == "/"
    assert [row.answers[0] for row in short.rows] == [4]
    page = short.client.post(f"{page.url}/left")
    assert page.url.path == "/"
    assert len(short.rows) == 1


def test_a_sheet_without_a_touch_goes_nowhere(short: Tablet) -> None:
    page = short.begin()
    short.wait(34.0)
    assert short.answer(page, 1).url.path == "/over"
    assert short.rows == []
    assert short.counter.tallies.dropped == {"timed_out": 1}
    assert short.visits.calls == ["shown", "left"]


def test_a_touch_that_is_taken_back_is_not_kept(short: Tablet) -> None:
    page = short.client.post(f"{short.touch(1).url}/back")
    assert "Câu 1/5" in page.text
    short.wait(34.0)
    assert short.rows == []
    page = short.touch(2)
    assert "Rút lại đánh giá" in page.text
    assert short.client.post(f"{page.url}/cancel").url.path == "/"
    short.wait(34.0)
    assert short.rows == []


def test_the_next_visit_neither_loses_nor_hurries_what_was_left(short: Tablet) -> None:
    """When the visit before is counted must not depend on whoever comes next (ADR 0140)."""
    short.client.post("/visit/start", content=b'{"service_group": 7}', headers={"X-Queue-Token": TOKEN})
    short.next_visit()
    short.touch(2)
    short.client.post("/visit/start", content=b'{"service_group": 8}', headers={"X-Queue-Token": TOKEN})
    short.next_visit()
    short.wait(20.0)
    assert short.rows == []
    page = short.touch(5)
    assert "Câu 2/5" in page.text, "the next one's sheet is open beside it"
    short.wait(14.0)
    assert [(row.answers[0], row.service_group) for row in short.rows] == [(2, 7)]
    assert "rated 2" not in short.visits.calls, "its visit is over; the rating itself is not lost"
    for _ in range(4):
        page = short.answer(page, 5)
    assert [(row.answers[0], row.service_group) for row in short.rows] == [(2, 7), (5, 8)]


def test_what_is_left_while_the_disk_is_full_waits(short: Tablet) -> None:
    short.disk_full = True
    short.touch(4)
    short.wait(34.0)
    for _ in range(2):
        short.next_visit()
        short.touch(3)
        short.wait(34.0)
    assert short.rows == []
    short.disk_full = False
    short.wait(1.0)
    assert [row.answers[0] for row in short.rows] == [4, 3, 3]


def test_that_is_enough_sends_what_has_been_answered(short: Tablet) -> None:
    page = short.answer(short.touch(4), 2)
    assert "Đủ rồi, gửi luôn" in page.text
    assert short.client.post(f"{page.url}/send", data={"early": "yes"}).url.path == "/thanks"
    assert sorted(short.rows[0].answers)[-3:] == [0, 2, 4]
    assert short.visits.calls == ["shown", "rated 4"]


def test_a_box_that_stops_keeps_what_was_touched(short: Tablet) -> None:
    short.touch(4)
    short.counter.keep_due(all_of_them=True)
    assert [row.answers[0] for row in short.rows] == [4]


def test_a_touch_keeps_the_sheet(short: Tablet) -> None:
    page = short.begin()
    for _ in range(3):
        short.now_s += 25.0
        assert short.client.post(f"{page.url}/stay").status_code == 204
    assert "Câu 2/5" in short.answer(page, 4).text
    short.now_s += 40.0
    assert short.client.post(f"{page.url}/stay").status_code == 410


def test_one_visit_one_rating(one: Tablet) -> None:
    one.answer(one.begin(), 4)
    page = one.begin()
    assert page.url.path == "/already"
    one.next_visit()
    assert one.answer(one.begin(), 2).status_code == 200
    assert [row.answers[0] for row in one.rows] == [4]  # the second waits for its reasons


def test_a_sheet_dies_with_its_visit(short: Tablet) -> None:
    page = short.begin()
    short.next_visit()
    assert short.answer(page, 4).url.path == "/over"
    assert short.rows == []


def test_a_rating_after_the_visit_ended_is_sent_but_not_paired(one: Tablet) -> None:
    page = one.begin()
    one.visits.open_visit = None
    one.answer(page, 4)
    assert len(one.rows) == 1
    assert one.visits.calls == ["shown"]


def test_a_sheet_completes_once(one: Tablet) -> None:
    page = one.begin()
    one.answer(page, 4)
    assert one.answer(page, 5, slot="0").url.path == "/over"
    assert len(one.rows) == 1


def test_cancelling_forgets(short: Tablet) -> None:
    page = short.answer(short.begin(), 4)
    assert short.client.post(f"{page.url}/cancel").url.path == "/"
    assert short.client.get(str(page.url)).url.path == "/over"
    assert short.rows == []
    assert short.visits.calls == ["shown", "left"]


def test_opt_out_is_one_touch_and_rating_stays_possible(one: Tablet) -> None:
    page = one.client.post("/opt-out", data={"page_token": one.page_token(), "path": "/"})
    assert one.visits.calls == ["opt_out"]
    assert "Đã dừng phân tích cho lượt này" in page.text
    assert "Tôi không đồng ý phân tích" not in page.text
    assert one.answer(one.begin(), 5).url.path == "/thanks"
    one.next_visit()
    assert "Tôi không đồng ý phân tích" in one.client.get("/").text


def test_opt_out_within_a_sheet_returns_to_it(short: Tablet) -> None:
    page = short.begin()
    back = short.client.post("/opt-out", data={"page_token": short.page_token(), "path": page.url.path})
    assert back.url == page.url
    assert short.visits.calls == ["shown", "opt_out"]
