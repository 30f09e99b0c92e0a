"""The assistant's pages: what they take, what they refuse, who gets in, and that nothing of them is left."""

from __future__ import annotations

import logging
import stat
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from edge.assistant import door as doors
from edge.assistant.door import COOKIE, Door, Ending
from edge.assistant.draft import STEPS, load_draft
from edge.config import load_config
from edge.counters import MAX_COUNTERS
from edge.deploy.releases import draft_path, kept_path
from edge.tablet.pairing import MAX_TRIES
from pipeline.errors import ConfigError, SourceError
from pipeline.language import Message
from tests.edge.assistant.world import CODE, KEY, PASSWORD, World, alerts
from tests.edge.test_config import GOOD
from tests.edge.test_counters import HALL

POSTS = ["/find", "/counter", "/picture", "/label", "/language", "/write", "/enrol", "/check", "/start"]
POSTS += [f"/step/{step}" for step in STEPS]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path).enter()


# -- the whole way


def test_a_box_is_set_up_and_its_file_is_what_the_box_reads(world: World) -> None:
    world.answer_everything()
    assert alerts(world.client.get("/step/review").text) == ""
    assert world.post("/write").status_code == 200
    config = load_config(world.path)
    assert (config.counters[0].label, config.camera and config.camera.source) == ("Quầy 1", 0)
    assert (config.legal.basis, config.notice.confirmed, config.box.clerks_meet) == ("consent", True, True)
    assert stat.S_IMODE(world.path.stat().st_mode) == 0o600
    assert world.post("/enrol").status_code == 200
    assert world.hands.enrolled == [CODE], "the code of the label"
    assert "đầy" in world.post("/check").text
    page = world.post("/start").text
    assert "http://127.0.0.1:8090/" in page
    assert world.door.wait(0) is Ending.DONE
    assert sorted(each.name for each in world.path.parent.iterdir() if each.is_file()) == ["edge.toml"]


def test_each_page_is_there_before_anything_is_answered(world: World) -> None:
    for step in STEPS:
        assert world.client.get(f"/step/{step}").status_code == 200, step
    assert world.client.get("/step/other").status_code == 404


def test_what_is_left_is_taken_up_again_with_its_passwords_and_without_its_code(world: World, tmp_path: Path) -> None:
    world.post("/step/place", agency_label="Sở Y tế", label_1="A", clerks="2", clerks_meet="no")
    world.post("/step/devices", camera_1="n10.0.0.21", user_1="admin", password_1=PASSWORD, microphone_1="none")
    world.post("/step/server", label=f"{CODE} tcp://score.example:5870 {KEY}")
    assert stat.S_IMODE(draft_path(world.path).stat().st_mode) == 0o600
    assert CODE not in draft_path(world.path).read_text("utf-8")
    again = World(tmp_path)
    assert again.left
    again.enter()
    assert again.draft.done == {"place", "devices", "server"}
    assert again.draft.open_steps == ["region", "basis", "notice", "tablet"]
    assert "p%40ss" in str(again.draft.values()["camera"])
    pages = "".join(again.client.get(f"/step/{step}").text for step in STEPS)
    assert "Sở Y tế" in pages
    assert all(word not in pages for word in ("s3cret", "p%40ss", "admin:"))


@pytest.mark.parametrize("text", [GOOD, HALL], ids=["one counter", "a hall"])
def test_a_configuration_that_is_there_keeps_what_no_page_asks_for(tmp_path: Path, text: str) -> None:
    (tmp_path / "edge.toml").write_text(text, "utf-8")
    world = World(tmp_path)
    assert not world.left
    assert world.draft.values() == tomllib.loads(text)
    assert world.draft.open_steps == [], "nothing has to be answered again"
    world.enter().post("/write")
    assert tomllib.loads((tmp_path / "edge.toml").read_text("utf-8")) == tomllib.loads(text)
    assert kept_path(tmp_path / "edge.toml").read_text("utf-8") == text


def test_a_file_that_no_box_starts_with_is_asked_for_anew(tmp_path: Path) -> None:
    (tmp_path / "edge.toml").write_text(GOOD.replace('[legal]\nbasis = "consent"', ""), "utf-8")
    assert World(tmp_path).draft.open_steps[0] == "place"


def test_counters_are_added_and_taken_away(world: World) -> None:
    world.post("/counter", agency_label="Sở", label_1="A")
    world.post("/counter", label_1="A", label_2="B")
    assert [each["name"] for each in world.draft.counters] == ["1", "2", "3"]
    world.client.post(
        "/step/place",
        data={
            "token": world.door.form_token, "agency_label": "Sở", "label-1": "A", "label-2": "", "label-3": "C",
            "clerks": "3", "clerks_meet": "yes",
        },
    )  # fmt: skip
    assert [(each["name"], each.get("label")) for each in world.draft.counters] == [("1", "A"), ("3", "C")]


def test_a_hall_of_64_counters_fits_into_one_form(world: World) -> None:
    for _ in range(MAX_COUNTERS - 1):
        world.post("/counter")
    names = [each["name"] for each in world.draft.counters]
    assert len(names) == MAX_COUNTERS
    assert "nhiều nhất 64 quầy" in alerts(world.post("/counter").text)
    form = {"token": world.door.form_token}
    for name in names:
        form |= {f"camera-{name}": "typed", f"microphone-{name}": "none", f"channel-{name}": "0"}
        form |= {f"address-{name}": f"rtsp://10.0.0.9/realmonitor?channel={name}&subtype=0", f"user-{name}": "u" * 80}
        form |= {f"password-{name}": "ậ" * 120}
    assert world.client.post("/step/devices", data=form).status_code == 200
    assert len(world.draft.cameras) == MAX_COUNTERS


def test_two_counters_with_one_camera_are_refused_by_the_reader_in_vietnamese(world: World) -> None:
    world.answer_everything().post("/counter", label_1="A")
    world.post("/step/place", agency_label="Sở", label_1="A", label_2="B", clerks="2", clerks_meet="yes")
    world.post("/step/devices", camera_1="keep", microphone_1="none", camera_2="v0", microphone_2="none")
    world.post("/step/region", counter="2", region="[[0,0],[1,0],[1,1]]")
    assert "quầy 1 và quầy 2 dùng chung một máy quay" in alerts(world.client.get("/step/review").text)
    assert "dùng chung một máy quay" in alerts(world.post("/write").text)
    assert not world.path.exists()


# -- what is refused, and what to do then


@pytest.mark.parametrize(
    ("step", "fields", "said"),
    [
        ("place", {"clerks": "2"}, "tên cơ quan"),
        ("place", {"agency_label": "A", "clerks": "x"}, "số nguyên từ 1 đến 64"),
        ("place", {"agency_label": "A", "clerks": "2"}, "hai cán bộ"),
        ("place", {"agency_label": "A", "clerks": "1"}, "tên nhóm"),
        ("place", {"agency_label": "A", "clerks": "1", "pool_with": "nhóm 1"}, "không đúng cách viết"),
        ("place", {"agency_label": "A" * 121, "clerks": "2", "clerks_meet": "no"}, "dài hơn 120"),
        ("devices", {"camera_1": "v9", "microphone_1": "none"}, "Tìm lại thiết bị|tìm lại thiết bị"),
        ("devices", {"camera_1": "/etc/passwd", "microphone_1": "none"}, "tìm lại thiết bị"),
        ("devices", {"camera_1": "0", "microphone_1": "none"}, "tìm lại thiết bị"),
        ("devices", {"camera_1": "typed", "address_1": "/etc/passwd", "microphone_1": "none"}, "rtsp://"),
        ("devices", {"camera_1": "none", "microphone_1": "m0"}, "không thu tiếng của cán bộ"),
        ("devices", {"camera_1": "none", "microphone_1": "/etc/passwd", "staff_1": "yes"}, "tìm lại thiết bị"),
        ("devices", {"camera_1": "v0", "microphone_1": "m0", "staff_1": "yes", "channel_1": "99"}, "Kênh là một số"),
        ("region", {"counter": "1", "region": "[]"}, "không có máy quay"),
        ("region", {"counter": "9", "region": "[]"}, "Không có quầy đó"),
        ("basis", {}, "Không có lựa chọn mặc định"),
        ("basis", {"basis": "none"}, "legal.basis"),
        ("basis", {"basis": "state_activity", "office": "VP"}, "thiếu thì chỉ"),
        ("notice", {"contact": "x" * 201, "confirmed": "yes"}, "dài hơn 200"),
        ("tablet", {"form": "short"}, "nơi hiện trang"),
        ("tablet", {"host": "127.0.0.1", "form": "long"}, "tablet.form"),
        ("server", {"label": "ba chữ"}, "chép toàn bộ"),
        ("server", {"address": "tcp://SERVER:5870", "public_key": KEY}, "hỏi người quản lý máy chủ"),
        ("server", {"address": "http://a", "public_key": KEY}, "tcp://máy:cổng"),
        ("server", {"address": "tcp://a:1", "public_key": "short"}, "server.public_key"),
        ("server", {"address": "tcp://a:1", "public_key": KEY, "code": "ABC"}, "26"),
    ],
)
def test_every_refusal_says_what_to_do_and_keeps_what_was(
    world: World, step: str, fields: dict[str, str], said: str
) -> None:
    world.client.get("/step/devices")
    before = world.draft.values()
    answer = world.post(f"/step/{step}", **fields)
    assert answer.status_code in (400, 422)
    assert any(each in alerts(answer.text) for each in said.split("|")), alerts(answer.text)
    assert world.draft.values() == before
    assert step not in world.draft.done


def test_what_was_typed_is_shown_again_but_no_password(world: World) -> None:
    world.client.get("/step/devices")
    assert "Sở X" in world.post("/step/place", agency_label="Sở X", clerks="0").text
    world.eyes.problem = SourceError(Message("The device does not answer."), Message("Check its cable and its power."))
    page = world.post("/step/devices", camera_1="n10.0.0.21", user_1="admin", password_1=PASSWORD, microphone_1="none")
    assert "không trả lời" in alerts(page.text)
    assert PASSWORD not in page.text


def test_nothing_is_enrolled_checked_or_started_before_it_is_written(world: World) -> None:
    for path in ("/enrol", "/check", "/start"):
        assert "Chưa ghi cấu hình" in world.post(path).text
    world.answer_everything().post("/write")
    assert "chưa đăng ký" in alerts(world.post("/start").text)
    world.post("/enrol")
    world.post("/step/notice", contact="Khác", confirmed="yes")
    assert "Chưa ghi cấu hình" in world.post("/start").text, "what was changed since is not written"
    assert world.door.ending is None


def test_a_refusal_of_the_server_stands_on_the_page(world: World) -> None:
    world.answer_everything().post("/write")
    world.hands.problem = ConfigError(Message("The server does not accept this code."), Message("Try it again."))
    assert "Máy chủ không chấp nhận mã này" in alerts(world.post("/enrol").text)
    assert world.draft.tables["server"]["public_key"] == KEY


def test_one_clerk_is_counted_with_others_or_not_at_all(world: World) -> None:
    world.post("/step/place", agency_label="A", clerks="1", pool_with="nhom-1")
    assert world.draft.tables["privacy"] == {"clerks_per_box": 1, "pool_with": "nhom-1", "pulse_epsilon_milli": 0}
    world.post("/step/place", agency_label="A", clerks="2", clerks_meet="yes")
    assert world.draft.tables["privacy"] == {"clerks_per_box": 2}
    assert world.draft.tables["box"]["clerks_meet"] is True


def test_another_camera_is_another_region(world: World) -> None:
    world.answer_everything()
    world.post("/step/devices", camera_1="keep", microphone_1="none")
    assert world.draft.open_steps == []
    world.post("/step/devices", camera_1="v2", microphone_1="none")
    assert world.draft.open_steps == ["region"]


# -- the picture


def test_the_picture_is_of_one_counter_for_one_look(world: World) -> None:
    world.post("/step/place", agency_label="A", label_1="A", clerks="2", clerks_meet="yes")
    world.post("/step/devices", camera_1="v0", microphone_1="none")
    for form in ({}, {"nobody": "yes"}, {"staff": "yes"}):
        assert "xác nhận cả hai" in alerts(world.post("/picture", counter="1", **form).text)
    assert world.eyes.opened == []
    page = world.post("/picture", counter="1", nobody="yes", staff="yes").text
    token = page.split('src="/picture/')[1].split('"')[0]
    assert world.client.get(f"/picture/{token}").content[:2] == b"\xff\xd8"
    assert world.client.get("/picture/another").status_code == 404
    world.client.get("/step/basis")  # left: gone
    assert world.client.get(f"/picture/{token}").status_code == 404
    assert world.eyes.opened == [0]
    assert {each.name for each in world.path.parent.iterdir()} == {"edge.toml.draft"}


def test_a_picture_is_forgotten_after_a_while(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.answer_everything()
    page = world.post("/picture", counter="1", nobody="yes", staff="yes").text
    assert 'id="picture"' in page
    monkeypatch.setattr("edge.assistant.pages.MAX_PICTURE_S", -1.0)
    assert 'id="picture"' not in world.client.get("/step/region?counter=1").text


def test_the_label_is_read_by_the_camera(world: World) -> None:
    world.answer_everything()
    world.draft.done.discard("server")
    assert "không có người dân" in alerts(world.post("/label", counter="1").text)
    world.post("/label", counter="1", nobody="yes")
    assert "server" in world.draft.done
    world.eyes.label_text = '" onload="alert(1)'
    assert "nhãn gồm mã, địa chỉ và khóa" in alerts(world.post("/label", counter="1", nobody="yes").text)


# -- the notice


def test_the_notice_is_shown_printed_and_read_by_a_machine(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[tuple[str, str]] = []

    def say(words: str, lang: str) -> bytes:
        read.append((words, lang))
        return b"RIFF"

    monkeypatch.setattr("edge.assistant.pages.read_aloud", say)
    monkeypatch.setattr("edge.assistant.pages.can_read_aloud", lambda: True)
    assert "chọn căn cứ trước" in world.client.get("/step/notice").text
    world.answer_everything()
    page = world.client.get("/step/notice").text
    assert "Nghe đọc (giọng máy)" in page
    assert "Sở Tư pháp" in page
    assert world.client.get("/notice/aloud").headers["content-type"] == "audio/wav"
    ((words, lang),) = read
    assert lang == "vi"
    assert "Sở Tư pháp" in words
    printed = world.client.get("/notice/print").text
    assert "How satisfaction is measured here" in printed
    assert "127.0.0.1" not in printed, "a code that leads nowhere for a citizen"


# -- a hostile look


def test_nobody_comes_in_without_the_code_and_nobody_after_the_first(world: World) -> None:
    stranger = TestClient(world.assistant.app(), "http://127.0.0.1")
    for path in POSTS:
        refused = stranger.post(path, data={"token": world.door.form_token})
        assert (refused.status_code, refused.text) == (403, "refused"), path
    for path in [*(f"/step/{step}" for step in STEPS), "/notice/print", "/notice/aloud", "/picture/x"]:
        assert stranger.get(path, follow_redirects=False).headers["location"] == "/"
    assert stranger.post("/enter", data={"code": world.door.code}).status_code == 403, "it works once"
    assert "Một trình duyệt khác" in stranger.get("/").text
    stranger.cookies.set(COOKIE, "x" * 43)
    assert stranger.get("/step/place", follow_redirects=False).status_code == 303


def test_every_form_of_the_session_needs_its_page(world: World) -> None:
    """A page elsewhere cannot send one, cookie or not."""
    for path in POSTS:
        for token in ("", "x"):
            assert world.client.post(path, data={"token": token}).status_code == 403
        headers = {"sec-fetch-site": "cross-site"}
        assert world.client.post(path, data={"token": world.door.form_token}, headers=headers).status_code == 403
        headers = {"sec-fetch-site": "same-site"}  # another port of this machine
        assert world.client.post(path, data={"token": world.door.form_token}, headers=headers).status_code == 403
    (cookie,) = world.client.cookies.jar
    assert cookie.get_nonstandard_attr("SameSite") == "strict"
    assert cookie.has_nonstandard_attr("HttpOnly")


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.local", "box.lan", "assistant", "10.0.0.2", "0.0.0.0", "127.0.0.1.nip.io", ""],
)
def test_under_another_name_nothing_answers(tmp_path: Path, host: str) -> None:
    """A name that somebody else gives this machine (DNS, mDNS, a search domain) would make its pages theirs."""
    world = World(tmp_path)
    for path in ("/", "/static/tablet.css", "/step/place"):
        assert world.client.get(path, headers={"host": host}).status_code == 421
    assert world.client.post("/enter", data={"code": world.door.code}, headers={"host": host}).status_code == 421
    assert world.client.get("/", headers={"host": "localhost:8098"}).status_code == 200
    assert world.client.get("/", headers={"host": "[::1]:8098"}).status_code == 200


def test_at_the_counters_address_this_machine_s_own_is_another_name(tmp_path: Path) -> None:
    world = World(tmp_path, host="10.0.0.2", secure=True)
    assert world.client.get("/", headers={"host": "localhost"}).status_code == 421
    own = TestClient(world.assistant.app(), "https://10.0.0.2")
    answer = own.post("/enter", data={"code": world.door.code}, follow_redirects=False)
    assert "Secure" in answer.headers["set-cookie"]


def test_guessing_ends_the_assistant(tmp_path: Path) -> None:
    world = World(tmp_path)
    for _ in range(MAX_TRIES):
        assert world.client.post("/enter", data={"code": "AAAA-AAAA"}).status_code == 403
    assert world.client.post("/enter", data={"code": world.door.code}).status_code == 403
    assert world.door.wait(0) is Ending.GUESSED
    assert world.client.get("/").status_code == 410


def test_of_many_who_know_the_code_one_comes_in() -> None:
    door = Door()
    with ThreadPoolExecutor(8) as many:
        sessions = [each for each in many.map(lambda _: door.enter(door.code), range(32)) if each is not None]
    assert len(sessions) == 1
    assert door.knows(sessions[0])
    assert door.ending is None, "who comes too late does not guess"


def test_a_form_that_is_too_long_or_carries_a_file_is_refused(world: World) -> None:
    assert world.post("/step/place", agency_label="x" * 140_000).status_code == 413
    sent = world.client.post("/step/place", data={"token": world.door.form_token}, files={"f": b"x"})
    assert sent.status_code == 415


def test_what_is_typed_is_text_on_every_page_and_in_the_file(world: World) -> None:
    evil = '"><script>alert(1)</script>\\" {{ 7 * 7 }}'
    world.answer_everything()
    world.post("/step/place", agency_label=evil, label_1="'\"]\\", clerks="2", clerks_meet="yes")
    world.post("/step/notice", contact=evil, confirmed="yes")
    for step in STEPS:
        page = world.client.get(f"/step/{step}")
        assert "<script>alert" not in page.text
        assert (
            "script-src" in page.headers["content-security-policy"]
            or "default-src 'self'" in (page.headers["content-security-policy"])
        )
    world.post("/write")
    config = load_config(world.path)
    assert (config.box.agency_label, config.notice.contact) == (evil, evil)
    assert not config.box.demo
    answer = world.post("/step/place", agency_label="a\x00b\x7f", clerks="2", clerks_meet="yes")
    assert "ký tự lạ" in alerts(answer.text)


def test_passwords_stand_in_no_log(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Not even where everything that was written is told."""
    caplog.set_level(logging.DEBUG)
    world.client.get("/step/devices")
    world.post("/step/devices", camera_1="n10.0.0.21", user_1="admin", password_1=PASSWORD, microphone_1="none")
    assert world.eyes.asked == [("admin", PASSWORD)]
    world.eyes.problem = SourceError(Message("The device does not answer."))
    world.post("/picture", counter="1", nobody="yes", staff="yes")
    assert all(word not in caplog.text for word in ("s3cret", "p%40ss", world.door.code))


def test_once_it_is_done_nothing_answers_and_its_code_is_worth_nothing(world: World) -> None:
    world.answer_everything().post("/write")
    world.post("/enrol")
    world.post("/start")
    for path in POSTS:
        assert world.post(path).status_code == 403
    assert world.client.get("/", follow_redirects=False).status_code == 410
    assert world.client.post("/enter", data={"code": world.door.code}).status_code == 403


# -- the door


def test_it_ends_when_nobody_uses_it() -> None:
    now = [0.0]
    door = Door(lambda: now[0])
    session = door.enter(door.code)
    assert session is not None
    now[0] = doors.IDLE_S - 1
    assert door.knows(session)
    now[0] += doors.IDLE_S + 1
    assert door.wait(0) is Ending.IDLE
    assert not door.knows(session)


def test_it_ends_after_some_hours_whoever_uses_it() -> None:
    now = [0.0]
    door = Door(lambda: now[0])
    session = door.enter(door.code)
    assert session is not None
    while now[0] <= doors.LONGEST_S:
        now[0] += doors.IDLE_S / 2
        door.knows(session)
    assert door.wait(0) is Ending.IDLE


def test_a_draft_that_is_no_toml_is_told(tmp_path: Path) -> None:
    draft_path(tmp_path / "edge.toml").write_text("[box", "utf-8")
    with pytest.raises(ConfigError, match="cannot be read as a configuration"):
        load_draft(tmp_path / "edge.toml", "data")
