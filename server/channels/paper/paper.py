"""Paper forms: print with a code, enter twice where drawn, compare, decide, re-check (phúc tra)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, func, insert, select

from pipeline.calendar import today
from pipeline.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from pipeline.instruments import NO_MORE, RatingFlag, Sheet
from pipeline.language import Message
from pipeline.wire import ANSWER_SLOTS
from server.core.changes import record_change
from server.core.scope import Scope
from server.ratings.admission import Gate
from server.ratings.rating import Place, Rating
from server.ratings.sheet_answers import more_text, read_more
from server.ratings.source import Source
from server.ratings.store import add, set_aside
from server.rounds.rounds import find_round
from server.store.channels import PAPER
from server.store.tables.agencies import agencies
from server.store.tables.contacts import enumerators
from server.store.tables.paper import paper_entries, paper_forms
from server.store.tables.ratings import ratings

_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_PRIME = len(_ALPHABET)
CODE_LENGTH = 8
MAX_FORMS = 2_000


def check_letter(body: str) -> str:
    """The last letter of a code: a weighted sum modulo 31 (a prime), which finds every single wrong letter and every
    swap of two neighbours."""
    return _ALPHABET[sum((place + 2) * _ALPHABET.index(letter) for place, letter in enumerate(body)) % _PRIME]


def new_code() -> str:
    """A random form code with its check letter (7 + 1 letters of 31: 27 thousand million codes)."""
    body = "".join(secrets.choice(_ALPHABET) for _ in range(CODE_LENGTH - 1))
    return body + check_letter(body)


def read_code(text: str) -> str:
    """A code as typed or scanned, without blanks and dashes. Raises `InvalidError` where the check letter is wrong."""
    code = "".join(text.upper().split()).replace("-", "")
    body = code[:-1]
    if len(code) != CODE_LENGTH or any(c not in _ALPHABET for c in code) or check_letter(body) != code[-1]:
        raise InvalidError(Message("This is no form code, type it again."))
    return code


@dataclass(frozen=True, slots=True)
class PaperForm:
    """One printed form."""

    id: int
    round_id: int
    agency_id: int
    agency: str
    service_group: int
    code: str
    enumerator_id: int | None
    state: str
    double_entry: bool
    recheck: bool


def print_forms(
    connection: Connection,
    province_id: int,
    round_id: int,
    agency_id: int,
    *,
    count: int,
    service_group: int = 0,
    enumerator_id: int | None = None,
    double_share: float = 0.1,
    recheck_share: float = 0.1,
    user_id: int | None = None,
) -> list[str]:
    """Make `count` forms and return their codes. Which of them are entered twice and which are re-checked is drawn now,
    so that nobody can choose. Raises `InvalidError`."""
    find_round(connection, province_id, round_id=round_id)
    if not 1 <= count <= MAX_FORMS or not 0 <= double_share <= 1 or not 0 <= recheck_share <= 1:
        raise InvalidError(Message("1 to {max_forms} forms at once, shares from 0 to 1.", max_forms=MAX_FORMS))
    draw = secrets.SystemRandom()
    doubles = set(draw.sample(range(count), round(double_share * count)))
    rechecks = set(draw.sample(range(count), round(recheck_share * count)))
    codes: list[str] = []
    while len(codes) < count:
        code = new_code()
        taken = Scope(province_id).select(paper_forms, paper_forms.c.id).where(paper_forms.c.code == code)
        if code not in codes and connection.execute(taken).first() is None:
            codes.append(code)
    connection.execute(
        insert(paper_forms),
        [
            {
                "province_id": province_id,
                "round_id": round_id,
                "agency_id": agency_id,
                "service_group": service_group,
                "code": code,
                "enumerator_id": enumerator_id,
                "state": "printed",
                "double_entry": place in doubles,
                "recheck": place in rechecks,
                "printed_day": today(),
            }
            for place, code in enumerate(codes)
        ],
    )
    detail = {"round": round_id, "agency": agency_id, "count": count, "enumerator": enumerator_id}
    record_change(connection, province_id, user_id, "forms_printed", detail)
    return codes


def find_form(connection: Connection, province_id: int, code: str) -> PaperForm:
    """A printed form by its code. Raises `NotFoundError`."""
    query = (
        Scope(province_id)
        .select(paper_forms, paper_forms, agencies.c.name)
        .join(agencies, agencies.c.id == paper_forms.c.agency_id)
        .where(paper_forms.c.code == read_code(code))
    )
    row = connection.execute(query).first()
    if row is None:
        raise NotFoundError(Message("No form has this code."))
    return _form(row)


def _form(row: Any) -> PaperForm:
    return PaperForm(
        row.id,
        row.round_id,
        row.agency_id,
        row.name,
        row.service_group,
        row.code,
        row.enumerator_id,
        row.state,
        bool(row.double_entry),
        bool(row.recheck),
    )


class Entered(StrEnum):
    """What became of a form that was entered."""

    STORED = "stored"
    WAITING = "waiting"
    """Somebody else has to enter it too."""
    AGREED = "agreed"
    DIFFERS = "differs"
    """The two entries disagree: somebody decides with the paper in hand."""
    DECIDED = "decided"


def _digits(answers: Sequence[int]) -> str:
    return "".join(map(str, answers))


def enter_form(
    connection: Connection,
    province_id: int,
    form: PaperForm,
    answers: Sequence[int],
    *,
    more: Mapping[int, int] = NO_MORE,
    user_id: int,
    day: int | None = None,
    reasons: int = 0,
    decide: bool = False,
) -> Entered:
    """Enter a form's answers (32 slots, and `more` by slot): once, or by two persons where it was drawn for that.

    `decide`: the last word on a form whose entries differ. Raises `RequestError` where it cannot be entered now or the
    sheet is not valid."""
    survey_round = find_round(connection, province_id, round_id=form.round_id)
    if day is not None and not survey_round.first_day <= day <= min(today(), survey_round.last_day):
        raise InvalidError(Message("The day lies outside the round."))
    scope = Scope(province_id)
    if form.state == "half" or day is None:  # the day of the first entry stands
        held = scope.select(paper_forms, paper_forms.c.answered_day).where(paper_forms.c.id == form.id)
        day = connection.execute(held).scalar_one()
    rating = Rating.checked(
        survey_round.load_instrument(),
        Sheet(tuple(answers), more),
        place=Place(province_id, form.agency_id, service_group=form.service_group),
        channel=PAPER,
        day=today() if day is None else day,
        today=today(),
        reasons=reasons,
        origin=f"form:{form.code}",
    )
    first = _entry(connection, scope, form.id, "first")
    if form.state == "differs" and decide:
        if user_id in _enterers(connection, scope, form.id):
            raise ForbiddenError(Message("Whoever entered the form may not decide."))
        _keep(connection, scope, form, "decided", user_id, rating)
        _store(connection, scope, form, rating, day, user_id)
        record_change(connection, province_id, user_id, "entry_decided", {"form": form.id})
        return Entered.DECIDED
    if form.state == "printed":
        _keep(connection, scope, form, "first", user_id, rating)
        if form.double_entry:
            _set_state(connection, scope, form.id, "half", day)
            return Entered.WAITING
        _store(connection, scope, form, rating, day, user_id)
        return Entered.STORED
    if form.state == "half" and first is not None:
        if first.user_id == user_id:
            raise ForbiddenError(Message("Somebody else has to enter this form again."))
        entered = (_digits(rating.answers), more_text(rating.more), reasons)
        same = (first.answers, first.more, first.reasons) == entered
        _keep(connection, scope, form, "second", user_id, rating, "same" if same else "differs")
        if same:
            _store(connection, scope, form, rating, None, user_id)
            return Entered.AGREED
        _set_state(connection, scope, form.id, "differs", None)
        return Entered.DIFFERS
    if form.state == "differs":
        raise ConflictError(Message("The entries differ: it waits for a decision."))
    raise ConflictError(Message("This form has been entered, or is void."))


def _entry(connection: Connection, scope: Scope, form_id: int, step: str) -> Any:
    query = scope.select(paper_entries).where(paper_entries.c.form_id == form_id, paper_entries.c.step == step)
    return connection.execute(query).first()


def _enterers(connection: Connection, scope: Scope, form_id: int) -> set[int]:
    query = scope.select(paper_entries, paper_entries.c.user_id).where(paper_entries.c.form_id == form_id)
    return set(connection.execute(query).scalars())


def _keep(
    connection: Connection,
    scope: Scope,
    form: PaperForm,
    step: str,
    user_id: int,
    rating: Rating | None = None,
    result: str = "",
) -> None:
    """Keep what was entered; without a rating, only the step and its result."""
    digits = "0" * ANSWER_SLOTS if rating is None else _digits(rating.answers)
    values: dict[str, Any] = {"form_id": form.id, "step": step, "user_id": user_id, "day": today()}
    further = "" if rating is None else more_text(rating.more)
    entered = {"answers": digits, "more": further, "reasons": rating.reasons if rating else 0, "result": result}
    scope.insert(connection, paper_entries, {**values, **entered})


def _set_state(connection: Connection, scope: Scope, form_id: int, state: str, day: int | None) -> None:
    values: dict[str, Any] = {"state": state} | ({} if day is None else {"answered_day": day})
    connection.execute(scope.update(paper_forms).where(paper_forms.c.id == form_id).values(**values))


def _store(
    connection: Connection, scope: Scope, form: PaperForm, rating: Rating, day: int | None, user_id: int
) -> None:
    add(connection, [Gate(connection, scope, Source.staff(user_id)).admit(rating)])
    _set_state(connection, scope, form.id, "entered", day)


def recheck(connection: Connection, province_id: int, form: PaperForm, result: str, user_id: int) -> None:
    """Note a re-check: somebody asked the citizen again. `result`: same, differs, unreached.

    A rating that is not confirmed is set aside. Raises `ConflictError`."""
    if result not in ("same", "differs", "unreached") or form.state != "entered":
        raise ConflictError(Message("This form has not been entered yet."))
    scope = Scope(province_id)
    if _entry(connection, scope, form.id, "recheck") is not None:
        raise ConflictError(Message("This form has been re-checked."))
    _keep(connection, scope, form, "recheck", user_id, None, result)
    if result == "differs":
        query = scope.select(ratings, ratings.c.id).where(ratings.c.origin == f"form:{form.code}")
        rating = connection.execute(query).scalar_one()
        set_aside(connection, scope, rating, RatingFlag.INCONSISTENT, user_id)
    record_change(connection, province_id, user_id, "form_rechecked", {"form": form.id, "result": result})


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well two persons' entries of the same forms agree. `fields`: answers compared; `differing_slots`: slot ->
    how often it differed."""

    forms: int
    same_forms: int
    fields: int
    same_fields: int
    differing_slots: dict[int, int]

    @property
    def share(self) -> float | None:
        """Share of fields that agree, 0..1."""
        return self.same_fields / self.fields if self.fields else None


def agreement(connection: Connection, province_id: int, round_id: int) -> Agreement:
    """Agreement of double entry in a round, over the slots that the instrument uses."""
    instrument = find_round(connection, province_id, round_id=round_id).load_instrument()
    slots = sorted({0, *(item.slot for item in instrument.items if item.kind != "text")})
    first, second = paper_entries.alias("first"), paper_entries.alias("second")
    query = (
        Scope(province_id)
        .select(paper_forms, first.c.answers, second.c.answers, first.c.more, second.c.more)
        .join(first, first.c.form_id == paper_forms.c.id)
        .join(second, (second.c.form_id == first.c.form_id) & (second.c.step == "second"))
        .where(paper_forms.c.round_id == round_id, first.c.step == "first")
    )
    forms = same_forms = fields = same_fields = 0
    differing: dict[int, int] = {}
    for one, other, more, other_more in connection.execute(query):
        forms += 1
        same_forms += (one, more) == (other, other_more)
        first_more, second_more = read_more(more), read_more(other_more)
        for slot in slots:
            fields += 1
            wide = slot >= ANSWER_SLOTS or one[slot] == other[slot]
            if wide and first_more.get(slot) == second_more.get(slot):
                same_fields += 1
            else:
                differing[slot] = differing.get(slot, 0) + 1
    return Agreement(forms, same_forms, fields, same_fields, differing)


@dataclass(frozen=True, slots=True)
class EnumeratorProgress:
    """One enumerator's forms in a round."""

    code: str
    name: str
    forms: int
    entered: int
    to_recheck: int
    confirmed: int
    differing: int
    unreached: int


def supervision(connection: Connection, province_id: int, round_id: int) -> list[EnumeratorProgress]:
    """Forms by enumerator (and those without one) with what re-checks found."""
    check = paper_entries.alias("check")
    query = (
        Scope(province_id)
        .select(
            paper_forms,
            enumerators.c.code,
            enumerators.c.name,
            func.count(),
            func.count().filter(paper_forms.c.state == "entered"),
            func.count().filter(paper_forms.c.recheck & check.c.id.is_(None) & (paper_forms.c.state == "entered")),
            func.count().filter(check.c.result == "same"),
            func.count().filter(check.c.result == "differs"),
            func.count().filter(check.c.result == "unreached"),
        )
        .outerjoin(enumerators, enumerators.c.id == paper_forms.c.enumerator_id)
        .outerjoin(check, (check.c.form_id == paper_forms.c.id) & (check.c.step == "recheck"))
        .where(paper_forms.c.round_id == round_id)
        .group_by(enumerators.c.code, enumerators.c.name)
        .order_by(enumerators.c.code)
    )
    return [EnumeratorProgress(row[0] or "", row[1] or "", *row[2:]) for row in connection.execute(query)]


def forms_in(connection: Connection, province_id: int, round_id: int, *, what: str) -> list[PaperForm]:
    """Forms of a round that wait: `half`, `differs`, or `recheck` (drawn for it, entered, not yet re-checked)."""
    query = (
        Scope(province_id)
        .select(paper_forms, paper_forms, agencies.c.name)
        .join(agencies, agencies.c.id == paper_forms.c.agency_id)
        .where(paper_forms.c.round_id == round_id)
        .order_by(paper_forms.c.code)
        .limit(500)
    )
    if what == "recheck":
        done = select(paper_entries.c.form_id).where(paper_entries.c.step == "recheck")
        query = query.where(paper_forms.c.recheck, paper_forms.c.state == "entered", paper_forms.c.id.not_in(done))
    else:
        query = query.where(paper_forms.c.state == what)
    return [_form(row) for row in connection.execute(query)]
