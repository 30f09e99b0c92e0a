"""Paper: printing forms, data entry built for speed, double entry, decisions, re-checks, enumerators."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from pipeline.calendar import today
from pipeline.instruments import DONT_KNOW, NOT_APPLICABLE, OVERALL, Instrument
from pipeline.instruments.instrument import MAX_SLOTS
from pipeline.language import Joined, Message, reason_of, translator
from pipeline.wire import ANSWER_SLOTS
from server.auth.roles import Permission
from server.catalogue.reading import read_catalogue
from server.channels.pages import NOT_FOUND
from server.channels.paper import enumerators as people
from server.channels.paper.enumerators import all_enumerators, forms_by_enumerator
from server.channels.paper.paper import (
    agreement,
    enter_form,
    find_form,
    forms_in,
    print_forms,
    recheck,
    supervision,
)
from server.channels.paper.paper_print import forms_pdf
from server.core.provinces import province_by_id
from server.rounds.rounds import all_rounds, find_round
from server.store.engine import read, write
from server.tabular.answers import read_item
from server.tabular.values import read_day
from server.web.context import (
    DataClerk,
    GroupNumber,
    RowId,
    SurveyManager,
    back,
    download,
    engine_of,
    language,
    render,
    row_id,
)
from server.web.table_files import table_file

router = APIRouter(prefix="/survey", include_in_schema=False)
_ENTRY_WORDS = {
    "stored": Message("stored"),
    "waiting": Message("stored, waits for a second entry"),
    "agreed": Message("both entries agree, stored"),
    "decided": Message("decided"),
    "differs": Message("the entries DIFFER: keep this form for whoever decides"),
    "second": Message("second entry"),
    "only": Message("{question}: only {keys} or space"),
}
"""What the entry page's script says."""


@router.get("/rounds/{round_id}/paper")
def paper_page(request: Request, user: SurveyManager, round_id: RowId) -> Response:
    """Printing, progress by enumerator, agreement of double entry, forms that wait."""
    with read(engine_of(request)) as connection:
        found = find_round(connection, user.province_id, round_id=round_id)
        catalogue = read_catalogue(connection, user.province_id)
        return render(
            request,
            "survey_paper.html",
            round=found,
            catalogue=catalogue,
            agencies=catalogue.existing(today()),
            people=all_enumerators(connection, user.scope, active=True),
            progress=supervision(connection, user.province_id, round_id),
            agreement=agreement(connection, user.province_id, round_id),
            waiting=forms_in(connection, user.province_id, round_id, what="half"),
            differing=forms_in(connection, user.province_id, round_id, what="differs"),
            to_recheck=forms_in(connection, user.province_id, round_id, what="recheck"),
            names={slot: code for code, slot in found.load_instrument().slots.items()},
        )


@router.post("/rounds/{round_id}/paper")
def print_page(
    request: Request,
    user: SurveyManager,
    round_id: RowId,
    agency: Annotated[RowId, Form()],
    count: Annotated[int, Form(ge=1, le=2_000)],
    group: Annotated[GroupNumber, Form()] = 0,
    enumerator: Annotated[str, Form(max_length=10)] = "",
    double_percent: Annotated[float, Form(ge=0, le=100)] = 10,
    recheck_percent: Annotated[float, Form(ge=0, le=100)] = 10,
) -> Response:
    """Make forms with codes; the PDF comes back."""
    with write(engine_of(request)) as connection:
        found = find_round(connection, user.province_id, round_id=round_id)
        catalogue = read_catalogue(connection, user.province_id)
        catalogue.existing_one(agency, today())
        codes = print_forms(
            connection,
            user.province_id,
            round_id,
            agency,
            count=count,
            service_group=group,
            enumerator_id=row_id(enumerator),
            double_share=double_percent / 100,
            recheck_share=recheck_percent / 100,
            user_id=user.user_id,
        )
        province = province_by_id(connection, user.province_id)
    pdf = forms_pdf(
        found.load_instrument(),
        codes,
        province=province.name,
        agency=catalogue.agencies[agency].name,
        round_name=found.code,
        simulated=province.simulated,
    )
    return download(pdf, f"phieu-{catalogue.agencies[agency].code}.pdf", "application/pdf")


@router.get("/entry")
def entry_page(request: Request, user: DataClerk) -> Response:
    """The data entry page: code, then digits; no mouse needed."""
    with read(engine_of(request)) as connection:
        opened = [one for one in all_rounds(connection, user.province_id) if one.active]
    if not opened:
        return render(request, "survey_no_round.html")
    _ = translator(language(request))
    return render(
        request,
        "survey_entry.html",
        words={name: _(sentence) for name, sentence in _ENTRY_WORDS.items()},
        reasons=opened[0].load_instrument().reasons,
        may_decide=user.may(Permission.MANAGE_SURVEY),
    )


def _fields(instrument: Instrument, lang: str) -> list[dict[str, Any]]:
    """The entry page's fields in the order of the paper."""
    _ = translator(lang)
    fields: list[dict[str, Any]] = [{"code": OVERALL, "keys": "12345", "text": _(instrument.overall), "hint": ""}]
    for _part, items in instrument.sections:
        for item in items:
            if item.kind == "text":  # free words are entered by whoever codes them
                continue
            keys = "" if item.kind not in _KEYS else _KEYS[item.kind] + "".join(_WITHOUT_KEYS[w] for w in item.without)
            choices = ", ".join(f"{choice.number} {_(choice)}" for choice in item.choices)
            span = _("{low} to {high}", low=item.low, high=item.high) if item.kind == "number" else ""
            if item.kind == "several":
                choices = _("several, with commas between them: {choices}", choices=choices)
            fields.append({"code": item.code, "keys": keys, "text": _(item), "hint": choices or span})
    return fields


_KEYS = {"criterion": "12345", "fact": "67", "three": "123"}
"""Kinds that are entered by one key; the others are typed, and end with Enter."""
_WITHOUT_KEYS = {"not_applicable": "8", "dont_know": "9"}
_KEY_VALUES = {8: NOT_APPLICABLE, 9: DONT_KNOW}


def _entered(instrument: Instrument, given: dict[str, int | str]) -> tuple[list[int], dict[int, int]]:
    """The answers of an entry: keys as numbers, typed ones as text. Raises `HTTPException` 422."""
    answers, more = [0] * ANSWER_SLOTS, dict[int, int]()
    for code, value in given.items():
        slot = instrument.slot_of(code)
        if isinstance(value, str):
            if slot == 0:
                raise HTTPException(422, Message("{code}: this is no answer.", code=code))
            try:
                found = read_item(instrument.item(code), value)
            except ValueError as error:
                raise HTTPException(422, Joined((code, reason_of(error)), ": ")) from None
        else:
            found = _KEY_VALUES.get(value, value)
        if found is None:
            continue
        if slot < ANSWER_SLOTS and found >= 0:
            answers[slot] = found
        else:
            more[slot] = found
    return answers, more


class FormAnswers(BaseModel):
    """What the entry page sends; `true` is no answer."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    code: Annotated[str, Field(max_length=20)]
    day: Annotated[str, Field(max_length=12)] = ""
    answers: Annotated[dict[str, int | Annotated[str, Field(max_length=200)]], Field(max_length=MAX_SLOTS)]
    reasons: Annotated[list[str], Field(max_length=16)] = []
    decide: bool = False


@router.get("/entry/forms/{code}")
def form_state(request: Request, user: DataClerk, code: str) -> dict[str, Any]:
    """The form of a code: agency, state and fields, so that the clerk sees whether it is the right paper."""
    with read(engine_of(request)) as connection:
        form = find_form(connection, user.province_id, code)
        found = find_round(connection, user.province_id, round_id=form.round_id)
    return {
        "code": form.code,
        "agency": form.agency,
        "state": form.state,
        "round": found.code,
        "fields": _fields(found.load_instrument(), language(request)),
    }


@router.post("/entry/forms")
def enter(request: Request, user: DataClerk, sent: FormAnswers) -> dict[str, Any]:
    """Store one form's entry; 422 with the reason where it cannot be."""
    if user.user_id is None:
        raise HTTPException(403, NOT_FOUND)
    if sent.decide and not user.may(Permission.MANAGE_SURVEY):
        raise HTTPException(403, Message("You may not decide."))
    try:
        day = read_day(sent.day) if sent.day else None
    except ValueError as error:
        raise HTTPException(422, reason_of(error)) from None
    with write(engine_of(request)) as connection:
        form = find_form(connection, user.province_id, sent.code)
        found = find_round(connection, user.province_id, round_id=form.round_id)
        instrument = found.load_instrument()
        answers, more = _entered(instrument, sent.answers)
        bits = {reason.code: reason.bit for reason in instrument.reasons}
        if unknown := set(sent.reasons) - bits.keys():
            raise HTTPException(422, Message("There is no such reason: {reason}.", reason=min(unknown)[:40]))
        mask = sum(1 << bits[code] for code in set(sent.reasons))
        done = enter_form(
            connection,
            user.province_id,
            form,
            answers,
            more=more,
            user_id=user.user_id,
            day=day,
            reasons=mask,
            decide=sent.decide,
        )
    return {"code": form.code, "result": str(done), "agency": form.agency}


_FORM_COLUMNS = ("enumerator", "form", "agency", "service_group", "state", "recheck")


@router.get("/rounds/{round_id}/forms.csv")
def forms_list(request: Request, user: SurveyManager, round_id: RowId) -> Response:
    """Every form of a round: whose list it is on, where it stands, whether it is to be re-checked."""
    with read(engine_of(request)) as connection:
        found = find_round(connection, user.province_id, round_id=round_id)
        forms = forms_by_enumerator(connection, user.scope, round_id)
    rows = [
        {
            "enumerator": form.enumerator or "",
            "form": form.code,
            "agency": form.agency,
            "service_group": form.service_group,
            "state": form.state,
            # Which forms will be re-checked is not told before they have come back.
            "recheck": int(form.recheck) if form.state == "entered" else None,
        }
        for form in forms
    ]
    return table_file(request, rows, f"forms-{found.code}.csv", _FORM_COLUMNS)


@router.post("/rounds/{round_id}/recheck")
def recheck_page(
    request: Request,
    user: SurveyManager,
    round_id: RowId,
    code: Annotated[str, Form(max_length=20)],
    result: Annotated[str, Form(pattern="^(same|differs|unreached)$")],
) -> Response:
    """Note the result of a re-check."""
    with write(engine_of(request)) as connection:
        form = find_form(connection, user.province_id, code)
        recheck(connection, user.province_id, form, result, user.user_id or 0)
    return back(f"/survey/rounds/{round_id}/paper", f"{form.code}: {result}")


@router.get("/enumerators")
def enumerators_page(request: Request, user: SurveyManager) -> Response:
    """The list of enumerators."""
    with read(engine_of(request)) as connection:
        found = all_enumerators(connection, user.scope)
    return render(request, "survey_enumerators.html", people=found)


@router.post("/enumerators")
def add_enumerator(
    request: Request,
    user: SurveyManager,
    code: Annotated[str, Form(min_length=1, max_length=20)],
    name: Annotated[str, Form(min_length=1, max_length=120)],
    organisation: Annotated[str, Form(max_length=200)] = "",
    phone: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """Add an enumerator."""
    with write(engine_of(request)) as connection:
        people.add_enumerator(
            connection,
            user.scope,
            code=code.strip(),
            name=name.strip(),
            organisation=organisation.strip(),
            phone=phone.strip(),
            by=user.user_id,
        )
    return back("/survey/enumerators")
