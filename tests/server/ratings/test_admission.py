"""Attacks on the figures by every way in: what exceeds the plan, comes late or into a closed period never counts."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from pipeline import wire
from pipeline.calendar import Period, day_date, month_of_day, quarter_of_month, today
from pipeline.errors import ConflictError, ForbiddenError
from pipeline.instruments import RatingFlag, load_instrument
from pipeline.language import Text
from server.boxes.pools import PoolStatement, state_pools
from server.channels.online.invitations import issue
from server.core.changes import verify_changes
from server.core.provinces import write_setting
from server.core.scope import Scope
from server.feedback.feedback import items, receive
from server.ratings.admission import AGENCY_A_DAY, Gate
from server.ratings.closing import close_period
from server.ratings.held import held_sheets
from server.ratings.imports import import_ratings
from server.ratings.rating import Place, Rating
from server.ratings.source import Source, SourceKind
from server.ratings.store import add, restore, set_aside, withdraw
from server.scores.index import compute_index
from server.store.channels import COUNTER_TABLET, HOTLINE, ONLINE, PAPER, SMS, Channel
from server.store.engine import insert_row, read, write
from server.store.tables.agencies import agencies
from server.store.tables.boxes import boxes
from server.store.tables.changes import changes
from server.store.tables.ratings import RatingState, ratings
from server.store.tables.users import Role, users
from tests.delivery.conftest import Place as Office
from tests.delivery.conftest import enrol_directly, make_place
from tests.server.boxes.test_unfit_sheets import CODE, send
from tests.server.channels.test_pages import GOOD, World

BEST = (5, *([5] * 22), *([0] * 9))
ASKED = load_instrument("2640")


@pytest.fixture
def world(store: Engine, tmp_path: Path) -> World:
    return World(store, tmp_path)


@pytest.fixture
def office(store: Engine) -> Office:
    return make_place(store)


def _counted(store: Engine, **where: Any) -> int:
    conditions = [ratings.c[name] == value for name, value in where.items()]
    query = select(func.count()).where(ratings.c.state != int(RatingState.SET_ASIDE), *conditions)
    with read(store) as connection:
        return int(connection.execute(query).scalar_one())


def _flags(store: Engine, **where: Any) -> dict[RatingFlag, int]:
    conditions = [ratings.c[name] == value for name, value in where.items()]
    query = select(ratings.c.flag, func.count()).where(ratings.c.state == int(RatingState.SET_ASIDE), *conditions)
    with read(store) as connection:
        return {RatingFlag(flag): count for flag, count in connection.execute(query.group_by(ratings.c.flag))}


def _flood(store: Engine, box_id: int, days: list[int], each: int) -> int:
    """`each` batches of sixteen best sheets for each day, as somebody with the box's key would send them."""
    row, sequence = wire.RatingRow(CODE, 7, BEST, 0, 0), 0
    for day in days:
        for _ in range(each):
            sequence += 1
            assert isinstance(send(store, box_id, sequence, day, [row] * 16), wire.Ack)
    return sequence * 16


def test_a_box_s_key_cannot_fill_a_province(store: Engine, office: Office) -> None:
    """6,432 best ratings from one key in seconds, for days up to a hundred years ahead: the index was 100.0."""
    box = enrol_directly(store, office, "quầy 1")
    sent = _flood(store, box.box_id, [today() - 1, today() - 8, today() + 1, today() + 36_525], 25)
    assert sent == 1_600
    assert _counted(store) <= COUNTER_TABLET.sheets_a_day
    with read(store) as connection:
        held = held_sheets(connection, Scope(office.province_id))
        told = connection.execute(select(changes.c.action)).scalars().all()
        assert max(connection.execute(select(ratings.c.day)).scalars()) <= today()
    assert sum(one.sheets for one in held) == sent - _counted(store)
    assert {one.label for one in held} == {"quầy 1"}
    assert {"rating_set_aside", "sheets_unfit"} <= set(told)


def test_a_halls_key_fills_no_pool_with_what_the_whole_hall_could_take(store: Engine, office: Office) -> None:
    """Nine agencies of two clerks: 1,080 best sheets of a day, all for one of them."""
    with write(store) as connection:
        level = connection.execute(select(agencies.c.level_id)).scalars().first()
        for n in range(9):
            named = {"code": f"so-{n}", "name": Text.named(vi=f"Sở {n}", en=f"{n}"), "level_id": level}
            ids = insert_row(connection, agencies, {"province_id": office.province_id, **named})
    box = enrol_directly(store, office, "hội trường")
    said = [PoolStatement(f"so-{n}", n + 1) for n in range(9)]
    state_pools(store, office.province_id, box.box_id, said)
    row = wire.RatingRow(CODE, 7, BEST, 0, 0)
    a_pool = 2 * COUNTER_TABLET.sheets_a_day
    for sequence in range(1, 21):
        assert isinstance(send(store, box.box_id, sequence, today(), [row] * 16, pool=9), wire.Ack)
    assert _counted(store, agency_id=ids) == a_pool, "in several batches no more than in one"
    assert _flags(store) == {RatingFlag.OVER_PLAN: 320 - a_pool}
    for sequence in range(21, 26):
        send(store, box.box_id, sequence, today(), [row] * 16, pool=1)
    assert _counted(store) == a_pool + 80, "the other pools lose nothing by it"


def test_a_tablet_without_visits_gives_what_a_counter_can(store: Engine, office: Office) -> None:
    """360 an hour, hour after hour."""
    box = enrol_directly(store, office, "quầy 1")
    row = wire.RatingRow(CODE, 7, (4, 4, 5, *([0] * 29)), 0, 0)
    for sequence in range(1, 24):
        send(store, box.box_id, sequence, today(), [row] * 16)
    assert _counted(store) == COUNTER_TABLET.sheets_a_day
    assert _flags(store) == {RatingFlag.OVER_PLAN: 23 * 16 - COUNTER_TABLET.sheets_a_day}


def test_an_honest_box_s_sheets_all_count_also_after_an_outage(store: Engine, office: Office) -> None:
    box = enrol_directly(store, office, "quầy 1")
    with write(store) as connection:
        connection.execute(boxes.update().values(enrolled_day=today() - 10))
    row = wire.RatingRow(CODE, 7, (4, 4, 5, *([0] * 29)), 0, 0)
    for sequence, back in enumerate(range(10, 0, -1), start=1):
        send(store, box.box_id, sequence, today() - back, [row] * 16)
    assert (_counted(store), _flags(store)) == (160, {})


@pytest.mark.parametrize("back", [32, 400, 2_000])
def test_what_comes_too_long_after_its_day_does_not_count(store: Engine, office: Office, back: int) -> None:
    box = enrol_directly(store, office, "quầy 1")
    _flood(store, box.box_id, [today() - back], 1)
    assert (_counted(store), _flags(store)) == (0, {RatingFlag.LATE: 16})


def _last_quarter() -> Period:
    return quarter_of_month(month_of_day(today())).before()


def test_a_closed_quarter_stays_as_it_is(store: Engine, world: World) -> None:
    """By every way in: box, file, paper's day, review."""
    province, period = world.mine, _last_quarter()
    scope, number = Scope(province.province_id), province.province_id
    with write(store) as connection:
        write_setting(connection, number, "admit_days_box", 366)
        close_period(connection, scope, period, None)
        for again in (period, period.before()):
            with pytest.raises(ConflictError, match="has been closed"):
                close_period(connection, scope, again, None)
        before = compute_index(connection, number, ASKED, period).to_dict()
    office = Office(number, province.agencies["nho-a"])
    box = enrol_directly(store, office, "quầy 1")
    _flood(store, box.box_id, [period.last_day], 2)
    path = world_file(world, period.last_day)
    done = import_ratings(store, number, path, ASKED, channel="sms", key=bytes(32))
    assert (done.added, done.set_aside) == (3, 3)
    assert _flags(store, source=f"box:{box.box_id}") == {RatingFlag.CLOSED_PERIOD: 32}
    with write(store) as connection:
        kept = connection.execute(scope.select(ratings, ratings.c.id).where(ratings.c.state == 0)).scalars().first()
        aside = connection.execute(scope.select(ratings, ratings.c.id).where(ratings.c.state == 1)).scalars().first()
        assert kept is not None
        assert aside is not None
        for act in (
            lambda: set_aside(connection, scope, kept, RatingFlag.WITHDRAWN, 1),
            lambda: withdraw(connection, scope, kept, 1),
            lambda: restore(connection, scope, aside, 1),
        ):
            with pytest.raises(ConflictError, match="closed"):
                act()
        after = compute_index(connection, number, ASKED, period).to_dict()
    before.pop("set_aside"), after.pop("set_aside")
    assert before["places"] == after["places"]


def world_file(world: World, day: int) -> Path:
    path = Path(str(world.store.url.database)).parent / "late.csv"
    lines = [f"L{n},nho-a,{day_date(day):%d/%m/%Y},5" for n in range(3)]
    path.write_text("\n".join(["form,agency,day,overall", *lines]), encoding="utf-8")
    return path


def test_a_period_that_is_not_over_cannot_be_closed(store: Engine, world: World) -> None:
    browser = world.browser(Role.ANALYST)
    now = day_date(today())
    form = {"form": "/survey/rounds"}
    assert browser.post("/survey/closing", {"period": f"{now.year}"}, **form).status_code == 409
    closed = browser.post("/survey/closing", {"period": _last_quarter().name, "sure": "true"}, **form)
    assert closed.status_code == 303
    assert "Đã chốt đến hết tháng" in browser.get("/survey/rounds").text
    with read(store) as connection:
        detail = connection.execute(select(changes.c.detail).where(changes.c.action == "period_closed")).scalar_one()
    assert detail.startswith('{"through":["",')


def test_the_hotline_form_cannot_be_filled_by_a_machine(world: World) -> None:
    """200 best sheets in 8 seconds, without flag, author or entry in the log."""
    clerk = world.browser(Role.DATA_ENTRY)
    agency = next(iter(world.mine.agencies.values()))
    best = dict.fromkeys(GOOD, "5")
    data = {"round": world.round(world.mine).id, "agency": agency, "group": 0, **best}
    token = clerk.token("/survey/hotline")
    for _ in range(40):
        assert clerk.http.post("/survey/hotline", data={**data, "csrf": token}).status_code == 303
    assert _counted(world.store, channel="hotline") <= 4
    assert sum(_flags(world.store, channel="hotline").values()) >= 36
    with read(world.store) as connection:
        query = select(ratings.c.author_id, ratings.c.source).where(ratings.c.channel == "hotline").distinct()
        ((author, source),) = connection.execute(query).all()
        name = connection.execute(select(users.c.name).where(users.c.id == author)).scalar_one()
        actions = connection.execute(select(changes.c.action)).scalars().all()
    assert (name, source) == (world.mine.users[Role.DATA_ENTRY], f"user:{author}")
    assert actions.count("rating_entered") == 40
    assert actions.count("rating_set_aside") >= 36


def test_an_operator_takes_no_more_calls_than_a_person_can(world: World) -> None:
    clerk = world.browser(Role.DATA_ENTRY)
    agency = next(iter(world.mine.agencies.values()))
    token = clerk.token("/survey/hotline")
    for number in range(30):
        answers = {key: str(1 + (number + place) % 4) for place, key in enumerate(GOOD)}
        data = {"round": world.round(world.mine).id, "agency": agency, "group": 0, "csrf": token, **answers}
        assert clerk.http.post("/survey/hotline", data=data).status_code == 303
    assert _counted(world.store, channel="hotline") == HOTLINE.sheets_a_day // 4
    assert _flags(world.store, channel="hotline") == {RatingFlag.OVER_PLAN: 30 - HOTLINE.sheets_a_day // 4}


def test_an_online_client_without_the_form_does_not_count(world: World) -> None:
    """It left out `shown`, gave one 4 among its fives and dropped its cookie, under a new name each time."""
    with write(world.store) as connection:
        agency = next(iter(world.mine.agencies.values()))
        tokens = issue(connection, world.mine.province_id, world.round(world.mine).id, agency, count=12)
    best = dict.fromkeys(GOOD, "5") | {"q_A1": "4"}
    for number, token in enumerate(tokens):
        browser = world.browser()
        shown = {"shown": "forged"} if number % 2 else {}
        sent = browser.http.post(f"/s/{token}", data={**best, **shown}, headers={"user-agent": f"agent {number}"})
        assert sent.status_code == 303
    assert _counted(world.store, channel="online") == 0
    assert _flags(world.store, channel="online") == {RatingFlag.NO_FORM: 12}


def test_a_series_with_one_four_each_looks_like_staff(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the form's own time, patiently waited for."""
    with write(world.store) as connection:
        agency = next(iter(world.mine.agencies.values()))
        tokens = issue(connection, world.mine.province_id, world.round(world.mine).id, agency, count=12)
    best = dict.fromkeys(GOOD, "5") | {"q_A1": "4"}
    forms = []
    for token in tokens:
        browser = world.browser()
        shown = re.search(r'name="shown" value="([^"]+)"', browser.get(f"/s/{token}").text)
        assert shown
        forms.append((browser, token, shown[1]))
    later = time.time() + 600
    monkeypatch.setattr("server.channels.pages.time.time", lambda: later)
    for browser, token, shown_at in forms:
        browser.http.cookies.clear()
        assert browser.http.post(f"/s/{token}", data={**best, "shown": shown_at}).status_code == 303
    assert _counted(world.store, channel="online") <= 4


def test_one_complaint_gives_one_counted_sheet(world: World) -> None:
    """Answered, reopened, answered again: each time there was another link."""
    clerk = world.browser(Role.DATA_ENTRY)
    with write(world.store) as connection:
        agency = next(iter(world.mine.agencies.values()))
        receive(connection, world.mine.province_id, agency, category="delay", text="Trễ hẹn")
        (item,) = items(connection, world.mine.province_id)
    links, case = set(), f"/survey/feedback/{item.id}"
    for _ in range(10):
        for status in ("answered", "received"):
            given = {"status": status, "answer": "Đã trả kết quả.", "sure": "true"}
            page = clerk.then(clerk.post(case, given, form=case))
            links |= set(re.findall(r"/s/([a-z2-9]{22})", page.text))
    assert len(links) == 1


def _rating(province: int, agency: int, channel: Channel, day: int) -> Rating:
    answers = (4, *([4] * 22), *([0] * 9))
    return Rating.checked(ASKED, answers, place=Place(province, agency), channel=channel, day=day, today=today())


@pytest.mark.parametrize(
    ("kind", "channel", "back"),
    [
        (SourceKind.LINK, SMS, 2),
        (SourceKind.GATEWAY, SMS, 2),
        (SourceKind.STAFF, PAPER, 93),
        (SourceKind.IMPORT, PAPER, 2_400),
    ],
)
def test_every_source_has_its_days(store: Engine, world: World, kind: SourceKind, channel: Channel, back: int) -> None:
    province, agency = world.mine.province_id, world.mine.agencies["nho-a"]
    with write(store) as connection:
        write_setting(connection, province, "admit_days_files", 2_399)
        gate = Gate(connection, Scope(province), Source(kind, 1, 1))
        late = gate.admit(_rating(province, agency, channel, today() - back))
        in_time = gate.admit(_rating(province, agency, channel, today() - back + 1))
        kept = gate.admit(_rating(province, agency, channel, today()), RatingFlag.BURST)
    assert (late.rating.flag, late.state) == (RatingFlag.LATE, RatingState.SET_ASIDE)
    assert (in_time.rating.flag, in_time.state) == (RatingFlag.NONE, RatingState.COUNTED)
    assert (kept.rating.flag, kept.state) == (RatingFlag.BURST, RatingState.SET_ASIDE)


@pytest.mark.postgres
def test_the_bound_holds_over_transactions(any_store: Engine) -> None:
    office = make_place(any_store)
    with write(any_store) as connection:
        source = Source(SourceKind.GATEWAY, 1)
        few = [_rating(office.province_id, office.agency_id, SMS, today())] * (SMS.sheets_a_day - 3)
        gate = Gate(connection, Scope(office.province_id), source)
        add(connection, [gate.admit(one) for one in few])
    for expected in (0, 0, 0, 1, 1):
        with write(any_store) as connection:
            gate = Gate(connection, Scope(office.province_id), source)
            (one,) = [gate.admit(_rating(office.province_id, office.agency_id, SMS, today()))]
            add(connection, [one])
            assert int(one.state) == expected


def test_a_withdrawal_needs_two_people_and_a_restoration_another_than_the_author(store: Engine, world: World) -> None:
    province = world.mine
    scope = Scope(province.province_id)
    with write(store) as connection:
        ids = {row.role: row.id for row in connection.execute(scope.select(users))}
        analyst, clerk = ids[Role.ANALYST], ids[Role.DATA_ENTRY]
        rating = connection.execute(scope.select(ratings, ratings.c.id)).scalars().first()
        assert rating is not None
        assert withdraw(connection, scope, rating, analyst) is False
        with pytest.raises(ForbiddenError, match="Somebody else"):
            withdraw(connection, scope, rating, analyst)
        with pytest.raises(ForbiddenError, match="two people"):
            withdraw(connection, scope, rating, None)
        assert connection.execute(select(ratings.c.state).where(ratings.c.id == rating)).scalar_one() == 0
        assert withdraw(connection, scope, rating, ids[Role.ADMINISTRATOR]) is True
        assert connection.execute(select(ratings.c.state).where(ratings.c.id == rating)).scalar_one() == 1
        gate = Gate(connection, scope, Source.staff(clerk))
        add(connection, [gate.admit(_rating(province.province_id, province.agencies["nho-a"], PAPER, today()),
                                    RatingFlag.BURST)])  # fmt: skip
        mine = connection.execute(select(ratings.c.id).where(ratings.c.author_id == clerk)).scalar_one()
        with pytest.raises(ForbiddenError, match="entered"):
            restore(connection, scope, mine, clerk)
        restore(connection, scope, mine, analyst)
        verify_changes(connection, province.province_id)
        detail = connection.execute(select(changes.c.detail).where(changes.c.action == "rating_restored")).scalar_one()
    assert detail == f'{{"flag":[3,3],"rating":{mine},"state":[1,2]}}'


def test_what_does_not_count_is_told_to_the_officer(store: Engine, world: World) -> None:
    office = Office(world.mine.province_id, world.mine.agencies["nho-a"])
    box = enrol_directly(store, office, "quầy bị nghi")
    bad = wire.RatingRow(CODE, 7, (4, 7, *([0] * 30)), 0, 0)
    send(store, box.box_id, 1, today() - 60, [wire.RatingRow(CODE, 7, BEST, 0, 0), bad])
    for role, path in ((Role.PRIVACY_OFFICER, "/privacy"), (Role.ANALYST, "/survey/review")):
        page = world.browser(role).get(path).text
        assert "quầy bị nghi" in page, path
        assert "Đến quá muộn so với ngày trả lời" in page, path
        assert "Câu trả lời ngoài thang 1 đến 5" in page, path


@pytest.mark.postgres
def test_links_fill_no_agency_over_many_networks_and_restarts(any_store: Engine) -> None:
    """The attack: two thousand best sheets about one agency in a day, each from a network of its own, or with the
    server begun anew in between: nothing but the bound of the whole province was left."""
    world = make_place(any_store)
    with write(any_store) as connection:
        level = connection.execute(select(agencies.c.level_id)).scalars().first()
        another = {"province_id": world.province_id, "code": "khac", "name": Text.named(vi="Khác"), "level_id": level}
        other = insert_row(connection, agencies, another)
        source = Source(SourceKind.LINK)
        for _ in range(6):  # each transaction begins without a memory
            gate = Gate(connection, Scope(world.province_id), source)
            sheets = [gate.admit(_rating(world.province_id, world.agency_id, ONLINE, today())) for _ in range(100)]
            add(connection, sheets)
        gate = Gate(connection, Scope(world.province_id), source)
        elsewhere = gate.admit(_rating(world.province_id, other, ONLINE, today()))
    assert _counted(any_store, channel=ONLINE.code) == AGENCY_A_DAY == 500
    assert _flags(any_store, channel=ONLINE.code) == {RatingFlag.OVER_PLAN: 100}
    assert elsewhere.state is RatingState.COUNTED
