"""A generated province: agencies, services, transactions and ratings on every channel. Nothing in it was ever said by
anybody: for trying the program, for demonstrations and for tests.

Each sheet has a latent satisfaction (agency + service group + channel + quarter + a person's own), cut into five
answers; items lie around it. Channels differ by a known amount (`Channel.simulated_shift`), so that the adjustment
for mode effects can be checked against the truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Table, insert, select

from pipeline.calendar import Period, day_index, parse_period, quarter_of_month, today
from pipeline.errors import ConflictError, InvalidError
from pipeline.instruments import (
    Instrument,
    RatingFlag,
    drop_unasked,
    load_instrument,
    load_service_groups,
)
from pipeline.language import Message, Text
from server.catalogue.fields import load_fields
from server.core.masking import mask
from server.core.provinces import LEVELS, TIERS
from server.core.scope import Scope
from server.feedback.deadlines import due_day
from server.feedback.feedback import code_digest
from server.ratings.admission import Admitted, Gate
from server.ratings.rating import Place, Rating
from server.ratings.source import Source, SourceKind
from server.ratings.store import add
from server.simulation.places import COMMUNES, MAX_COMMUNES, place_names
from server.store.channels import CHANNELS, COUNTER_TABLET, AskedBy, Channel, Form
from server.store.tables.agencies import agencies, levels
from server.store.tables.comments import comments
from server.store.tables.counters import counters
from server.store.tables.feedback import feedback
from server.store.tables.provinces import provinces
from server.store.tables.ratings import RatingState
from server.store.tables.rounds import rounds
from server.store.tables.services import fields, service_groups, services
from server.store.tables.transactions import transactions

_OF_A_DEPARTMENT = 6.0
"""How many times more often a department's transaction is asked than a commune's."""
_BUSY, _TIMES_BUSIER, _TIMES_ASKED = "so-y-te", 8.0, 3.0
"""The department with many visits, all of whose sheets come from the tablet: there are enough pairs for its signal to
help."""
_LESS_CONTENT = {_BUSY: -0.8, "so-tu-phap": -0.9, "so-tai-chinh": -0.9, "so-xay-dung": -0.7, "so-khoa-hoc": -0.5}
"""Departments with which people are less content, in latent units: where nobody is, no signal can tell who is."""
CUTS = (-2.4, -1.6, -0.9, 0.9)
"""Latent value below which an answer is 1, 2, 3, 4; above the last it is 5."""
_TEXTS = (
    ("expectation", "shorter_time", "Mong rút ngắn thời gian giải quyết hồ sơ."),
    ("expectation", "online", "Mong làm được mọi thủ tục trên mạng."),
    ("expectation", "attitude", "Mong cán bộ thân thiện hơn."),
    ("suggestion", "information", "Niêm yết thủ tục ở nơi dễ thấy, chữ to hơn."),
    ("suggestion", "facilities", "Bố trí thêm ghế và quạt ở nơi chờ."),
    ("suggestion", "simpler_dossier", "Bỏ bớt giấy tờ phải sao chứng thực."),
)
_TOLD = (
    ("suggestion", "attitude", "Anh Minh ở quầy 2 trả lời cộc lốc, mong chấn chỉnh."),
    ("suggestion", "shorter_time", "Hồ sơ H99.24-260713-0042 hẹn lại ba lần, gọi 0912 345 678 cho tôi."),
    ("expectation", "lower_cost", "Bị thu thêm 200.000 đồng không có biên lai, mong làm rõ."),
    ("suggestion", "feedback", "Góp ý lần trước gửi hop.thu@example.vn chưa ai trả lời."),
    ("expectation", "skills", "Cán bộ mới chưa nắm thủ tục đất đai, phải hỏi nhiều người."),
)
"""Every fourth text; the names and numbers in them are nobody's, and show what masking does."""
_CASES = {
    "procedure": "Nộp hồ sơ chuyển mục đích sử dụng đất bị đòi thêm giấy xác nhận không có trong danh mục niêm yết.",
    "attitude": "Chị Hồng ở quầy tiếp nhận nói trống không với người già, tôi chờ từ 8h30 mà không ai gọi số.",
    "delay": "Hồ sơ H99.10-260805-0117 quá hạn bảy ngày chưa có kết quả, số điện thoại của tôi là 0987 654 321.",
    "cost": "Bị yêu cầu nộp 500.000 đồng ngoài lệ phí để được giải quyết sớm.",
    "facility": "Khu vực chờ thiếu ghế, không có lối đi cho xe lăn, máy lấy số hỏng cả tuần.",
    "other": "Trang dịch vụ công báo lỗi khi thanh toán lệ phí, đã trừ tiền nhưng hồ sơ chưa được ghi nhận.",
}
"""What cases say; the names and numbers in them are nobody's, and show what masking does."""
_ANSWER = "Cơ quan đã kiểm tra, xin lỗi vì sự chậm trễ và đã giải quyết. Cảm ơn Ông/Bà đã phản ánh."
_CHANGED = "Bổ sung một cán bộ tiếp nhận vào buổi sáng và niêm yết lại danh mục giấy tờ."


@dataclass(frozen=True, slots=True)
class SimulatedProvince:
    """What was generated."""

    province_id: int
    code: str
    agencies: int
    transactions: int
    ratings: int
    set_aside: int
    first_day: int
    last_day: int


@dataclass(frozen=True, slots=True)
class World:
    """Latent truth. `agency` [agencies], `group` [256], `item` [32] in latent units."""

    agency: NDArray[np.float64]
    group: NDArray[np.float64]
    item: NDArray[np.float64]


def simulate_province(
    connection: Connection,
    *,
    seed: int,
    code: str = "mau",
    instrument: str = "2640",
    last: str = "2026-Q3",
    quarters: int = 7,
    sheets_a_quarter: int = 8_000,
    communes: int = COMMUNES,
    tiers: int = TIERS,
    vivid: bool = False,
) -> SimulatedProvince:
    """Generate a province into the store, the same for the same arguments: 14 departments, `communes` (1 to 200)
    communes and wards, and with `tiers` = 3 six districts. `vivid`: to be looked at; departments have enough sheets for
    a figure each, and with some of them people are less content.

    Raises `ConflictError`, `InvalidError` where the code is taken or the period is no quarter."""
    if connection.execute(select(provinces.c.id).where(provinces.c.code == code)).first():
        raise ConflictError(
            Message("There is already a province '{code}'.", code=code),
            Message("Choose another --code, or another store."),
        )
    final = parse_period(last)
    if final.last_month - final.first_month != 2 or final.first_month % 3 or quarters < 1:
        raise InvalidError(
            Message("{last} is no quarter.", last=last), Message("Write for example 2026-Q3, and at least one quarter.")
        )
    if tiers not in LEVELS or not 1 <= communes <= MAX_COMMUNES:
        raise InvalidError(
            Message("A province has two or three tiers and 1 to {most} communes.", most=MAX_COMMUNES),
        )
    rng = np.random.default_rng(seed)
    questionnaire = load_instrument(instrument)
    first_month = final.first_month - 3 * (quarters - 1)
    months = range(first_month, final.last_month + 1)
    province = _one(
        connection,
        provinces,
        code=code,
        name=Text.named(vi="Tỉnh Mẫu (mô phỏng)", en="Mẫu Province (simulated)"),
        simulated=True,
        created_day=today(),
    )
    _services(connection, province)
    places = _agencies(connection, province, communes, tiers)
    world = World(
        agency=rng.normal(0.0, 0.35, len(places)),
        group=rng.normal(0.0, 0.15, 256),
        item=rng.normal(0.0, 0.30, 32),
    )
    if vivid:
        world.agency[:] += [_LESS_CONTENT.get(place.code, 0.0) for place in places]
    frame = _transactions(connection, province, places, months, rng, vivid)
    made = aside = 0
    gate = Gate(connection, Scope(province), Source(SourceKind.SIMULATION), final.last_day)
    for month in months[::3]:
        quarter = quarter_of_month(month)
        _round(connection, province, quarter, questionnaire)
        share = rng.uniform(0.85, 1.15)
        drift = world.agency + rng.normal(0.02, 0.05, len(places))
        world = World(drift, world.group, world.item)
        sheets = _sheets(
            province, places, frame, quarter, round(sheets_a_quarter * share), questionnaire, world, rng, gate, vivid
        )
        add(connection, sheets, gate.today)
        made += len(sheets)
        aside += sum(sheet.state is RatingState.SET_ASIDE for sheet in sheets)
    _comments(connection, province, places, months, rng)
    _feedback(connection, province, places, months, rng)
    return SimulatedProvince(
        province_id=province,
        code=code,
        agencies=len(places),
        transactions=sum(frame.values()),
        ratings=made,
        set_aside=aside,
        first_day=quarter_of_month(first_month).first_day,
        last_day=final.last_day,
    )


@dataclass(frozen=True, slots=True)
class _Place:
    id: int
    counters: tuple[int, ...]
    groups: tuple[int, ...]
    rank: int
    code: str
    services: dict[int, tuple[int, ...]]


def _one(connection: Connection, table: Table, **values: object) -> int:
    key = connection.execute(insert(table).values(**values)).inserted_primary_key
    assert key is not None
    return int(key[0])


def _services(connection: Connection, province: int) -> None:
    field_of: dict[int, int] = {}
    for field in load_fields():
        key = _one(connection, fields, province_id=province, code=field.code, name=Text.named(vi=field.vi, en=field.en))
        field_of |= dict.fromkeys(field.groups, key)
    for group in load_service_groups():
        _one(
            connection,
            service_groups,
            province_id=province,
            number=group.number,
            name=Text.named(vi=group.vi, en=group.en),
            field_id=field_of.get(group.number),
        )
        for step, (vi, en) in enumerate((("Cấp mới", "New"), ("Cấp đổi, cấp lại", "Renewal")) if group.number else ()):
            _one(
                connection,
                services,
                province_id=province,
                code=f"{group.code}-{step + 1}",
                name=Text.named(vi=f"{vi}: {group.vi}", en=f"{en}: {group.en}"),
                service_group=group.number,
            )


def _agencies(connection: Connection, province: int, communes: int, tiers: int) -> list[_Place]:
    level_ids = [
        _one(connection, levels, province_id=province, code=code, name=Text.named(vi=vi, en=en), rank=rank)
        for rank, (code, vi, en) in enumerate(LEVELS[tiers], start=1)
    ]
    by_group: dict[int, list[int]] = {}
    query = Scope(province).select(services, services.c.id, services.c.service_group)
    for service, group in connection.execute(query):
        by_group.setdefault(group, []).append(service)
    places = []
    for name in place_names(communes, tiers):
        agency = _one(
            connection,
            agencies,
            province_id=province,
            code=name.code,
            name=Text.named(vi=name.vi, en=name.en),
            level_id=level_ids[name.rank - 1],
            official_code=name.official_code,
        )
        ids = tuple(
            _one(connection, counters, province_id=province, agency_id=agency, code=code, name=Text.named(vi=vi, en=en))
            for code, vi, en in name.counter_names()
        )
        places.append(
            _Place(
                agency, ids, name.groups, name.rank, name.code, {group: tuple(by_group[group]) for group in name.groups}
            )
        )
    return places


def _transactions(
    connection: Connection, province: int, places: list[_Place], months: range, rng: np.random.Generator, vivid: bool
) -> dict[tuple[int, int, int], int]:
    """Finished transactions by (place's position, group, month)."""
    frame = {}
    for position, place in enumerate(places):
        for group in place.groups:
            usual = rng.lognormal(5.3, 0.6) * (_TIMES_BUSIER if vivid and place.code == _BUSY else 1.0)
            for month in months:
                season = 1.0 + 0.15 * np.sin(2 * np.pi * month / 12)
                frame[position, group, month] = max(5, int(rng.poisson(usual * season)))
    # how many were late and how many met a petition: from a stream of its own, so that no other figure changes
    own = np.random.default_rng([len(places), months[0], 766])
    late_share = own.beta(2.0, 16.0, len(places))
    connection.execute(
        insert(transactions),
        [
            {
                "province_id": province,
                "agency_id": places[position].id,
                "service_group": group,
                "month": month,
                "count": count,
                "late": (late := int(own.binomial(count, late_share[position]))),
                "complained": int(own.binomial(count - late, 0.004)),
            }
            for (position, group, month), count in frame.items()
        ],
    )
    return frame


def _round(connection: Connection, province: int, quarter: Period, questionnaire: Instrument) -> None:
    _one(
        connection,
        rounds,
        province_id=province,
        code=quarter.name,
        name=Text.named(vi=f"Khảo sát {quarter.name}", en=f"Survey {quarter.name}"),
        instrument=questionnaire.code,
        instrument_version=questionnaire.version,
        first_day=quarter.first_day,
        last_day=quarter.last_day,
    )


def _sheets(
    province: int,
    places: list[_Place],
    frame: dict[tuple[int, int, int], int],
    quarter: Period,
    count: int,
    questionnaire: Instrument,
    world: World,
    rng: np.random.Generator,
    gate: Gate,
    vivid: bool,
) -> list[Admitted]:
    """The sheets of a quarter, through the gate of the simulation."""
    cells = [(key, n) for key, n in frame.items() if key[2] in quarter.months]
    weights = np.array([n for _, n in cells], dtype=np.float64)
    # Small agencies are asked more often than their share, as a plan would.
    weights = np.sqrt(weights)
    # Departments have one group or two: without more for each they would have too few sheets for a figure.
    if vivid:
        of_place = [
            (_OF_A_DEPARTMENT if one.rank == 1 else 1.0) * (_TIMES_ASKED if one.code == _BUSY else 1.0)
            for one in places
        ]
        weights *= np.array([of_place[key[0]] for key, _ in cells])
    chosen = rng.choice(len(cells), size=count, p=weights / weights.sum())
    channels = [channel for channel in CHANNELS if channel.simulated_share]
    shares = np.array([channel.simulated_share for channel in channels])
    by_channel = rng.choice(len(channels), size=count, p=shares / shares.sum())
    daily: dict[tuple[int, int], float] = {}
    found = []
    month_first = {month: parse_period_month(month) for month in quarter.months}
    for cell, channel_number in zip(chosen, by_channel, strict=True):
        (position, group, month), _ = cells[cell]
        place, channel = places[position], channels[channel_number]
        if vivid and place.code == _BUSY:
            channel = COUNTER_TABLET
        first, last = month_first[month]
        day = int(rng.integers(first, last + 1))
        # A good or a bad day of an agency moves all its sheets: the clustering that the design effect has to find.
        mood = daily.setdefault((position, day), float(rng.normal(0.0, 0.25)))
        person = rng.normal(0.0, 0.75)
        centre = 0.15 + world.agency[position] + world.group[group] + channel.simulated_shift + mood + person
        answers = simulated_answers(questionnaire, channel, centre, world, rng)
        flag = RatingFlag.NONE
        if rng.random() < 0.01:
            flag = RatingFlag(int(rng.choice([1, 2, 3, 4, 5])))
        tablet = channel.asked_by is AskedBy.BOX
        counter = int(rng.choice(place.counters)) if tablet else None
        service = None if tablet else int(rng.choice(place.services[group]))
        reasons = int(1 << rng.integers(0, len(questionnaire.reasons))) if 0 < answers[0] <= 3 else 0
        rating = Rating.checked(
            questionnaire,
            answers,
            place=Place(province, place.id, counter, service, group),
            channel=channel,
            day=day,
            today=gate.today,
            reasons=reasons,
            flag=flag,
        )
        found.append(gate.admit(rating))
    return found


def parse_period_month(month: int) -> tuple[int, int]:
    """First and last day index of a month index."""
    period = Period("", month, month)
    return period.first_day, period.last_day


def simulated_answers(
    questionnaire: Instrument, channel: Channel, centre: float, world: World, rng: np.random.Generator
) -> tuple[int, ...]:
    answers = [0] * 32
    if channel.form is Form.FULL:
        wanted: Sequence[str] = list(questionnaire.wide)
    elif channel.form is Form.KIOSK:
        wanted = [question.item for question in questionnaire.kiosk]
    else:
        wanted = questionnaire.short
    facts = {item.code: item for item in questionnaire.facts}
    noise = rng.normal(0.0, 0.55, len(wanted))
    for code, jitter in zip(wanted, noise, strict=True):
        slot = questionnaire.slot_of(code)
        if code in facts:
            likely = 0.08 if facts[code].neutral else 0.85
            answers[slot] = 6 if rng.random() < likely else 7
        elif rng.random() > 0.03:
            value = centre + world.item[slot] + jitter
            answers[slot] = 1 + int(np.searchsorted(CUTS, value))
    if not answers[0] and channel.form is not Form.FULL:
        answers[0] = 1 + int(np.searchsorted(CUTS, centre))
    return drop_unasked(questionnaire, answers)


def _comments(
    connection: Connection, province: int, places: list[_Place], months: range, rng: np.random.Generator
) -> None:
    rows: list[dict[str, object]] = []
    for month in months:
        for _ in range(12):
            place = places[int(rng.integers(len(places)))]
            kind, code, text = _TEXTS[int(rng.integers(len(_TEXTS)))]
            if len(rows) % 4 == 3:
                kind, code, text = _TOLD[len(rows) // 4 % len(_TOLD)]
            rows.append(
                {
                    "province_id": province,
                    "agency_id": place.id,
                    "service_group": int(rng.choice(place.groups)),
                    "month": month,
                    "kind": kind,
                    "text": mask(text),
                    "code": code if rng.random() < 0.8 else None,
                    "coded_by": None,
                }
            )
    connection.execute(insert(comments), rows)


def _feedback(
    connection: Connection, province: int, places: list[_Place], months: range, rng: np.random.Generator
) -> None:
    rows = []
    number = 0
    for month in months:
        first, last = parse_period_month(month)
        for _ in range(int(rng.poisson(1.5 * len(places)))):
            place = places[int(rng.integers(len(places)))]
            received = int(rng.integers(first, last + 1))
            took = int(rng.gamma(4.0, 2.0)) + 1
            answered, liked = rng.random() < 0.9, rng.random()
            number += 1
            rows.append(
                {
                    "province_id": province,
                    "code_hash": code_digest(f"{province:x}M{number:06d}"),
                    "agency_id": place.id,
                    "service_group": int(rng.choice(place.groups)),
                    "channel": str(rng.choice(["online", "hotline"])),
                    "category": (category := str(rng.choice(list(_CASES)))),
                    "status": "answered" if answered else "received",
                    "received_day": received,
                    "due_day": due_day(received, 15),
                    "answered_day": received + took if answered else None,
                    "text": _CASES[category],
                    "answer": _ANSWER if answered else "",
                    "changed": _CHANGED if answered and number % 7 == 0 else "",
                    "published_day": received + took if answered and number % 7 == 0 else None,
                    "liked": bool(liked > 0.25) if answered and liked < 0.5 else None,
                    "reopened": int(answered and liked > 0.97),
                }
            )
    connection.execute(insert(feedback), rows)


__all__ = ["SimulatedProvince", "day_index", "simulate_province"]
