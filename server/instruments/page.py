"""The instrument editor: clone, change, check, preview, sign with the day on which it begins; what can be compared."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from pipeline.calendar import day_date, day_index, day_words, today
from pipeline.errors import HailongError
from pipeline.instruments import KINDS, Block, Factor, Instrument, shipped_instruments
from pipeline.instruments.comparing import compare
from pipeline.instruments.questionnaire import FORMS, make_questionnaire
from pipeline.keys import KEY_FILE_NAME, load_keys
from pipeline.language import Joined, Message, in_language, languages
from pipeline.language import language as spoken
from server.channels.paper.paper_print import forms_pdf, forms_pictures
from server.core.labels import INSTRUMENT_PARTS, POOLING_NAMES
from server.instruments import drafts, editing
from server.store.engine import read, write
from server.web.confirm import FOR_GOOD, AskFirst, Sure
from server.web.context import RowId, SurveyManager, back, download, engine_of, language, province_of, render, web

router = APIRouter(prefix="/survey/instruments", include_in_schema=False)
SAMPLE_CODE = "MAUTHU00"
FORM_NAMES = {
    "short": Message("Short form (tablet, SMS, 1022)"),
    "kiosk": Message("Kiosk form"),
    "one": Message("One question"),
}
_SIGNED = Message("Every box begins with it on that day; its questions are not changed any more.")


@router.get("")
def list_page(request: Request, user: SurveyManager) -> Response:
    """Every known instrument, the province's drafts, and a form to clone one."""
    with read(engine_of(request)) as connection:
        mine = drafts.all_drafts(connection, user.scope)
    return render(
        request,
        "instruments.html",
        known=shipped_instruments(),
        drafts=mine,
        poolings=POOLING_NAMES,
        parts=INSTRUMENT_PARTS,
        today=day_date(today()),
    )


@router.post("")
def clone(
    request: Request,
    user: SurveyManager,
    base: Annotated[int, Form(ge=1, le=65_535)],
    code: Annotated[str, Form(max_length=31)] = "",
) -> Response:
    """Begin a draft."""
    with write(engine_of(request)) as connection:
        number = drafts.clone(connection, user.scope, base, code, user.user_id)
    return back(f"/survey/instruments/drafts/{number}")


@router.get("/compare")
def compare_page(
    request: Request,
    user: SurveyManager,
    new: Annotated[int | None, Query(ge=1, le=65_535)] = None,
    old: Annotated[int | None, Query(ge=1, le=65_535)] = None,
) -> Response:
    """What of two known instruments can be compared; without both, where they are chosen."""
    if new is None or old is None:
        return back("/survey/instruments#compare")
    one, other = drafts.known(new), drafts.known(old)
    return render(
        request, "instruments_compare.html", new=one, old=other, found=compare(one, other), known=shipped_instruments()
    )


@router.get("/drafts/{number}")
def editor(
    request: Request,
    user: SurveyManager,
    number: RowId,
    item: Annotated[str, Query(max_length=16)] = "",
    add: Annotated[str, Query(max_length=16)] = "",
    part: Annotated[str, Query(max_length=16)] = "",
) -> Response:
    """One draft: its parts and questions, the form of the one that is being changed, and what the check says."""
    with read(engine_of(request)) as connection:
        draft = drafts.find_draft(connection, user.scope, number)
        problems = drafts.check(connection, user.scope, draft.instrument) if draft.is_open else []
    asked = next((one for one in draft.instrument.items if one.code == item), None)
    parts: list[Block | Factor] = [*draft.instrument.factors, *draft.instrument.blocks]
    further = editing.further_languages(draft.instrument)
    return render(
        request,
        "instrument_editor.html",
        draft=draft,
        instrument=draft.instrument,
        problems=problems,
        editing=asked,
        add=add,
        kinds=KINDS,
        poolings=POOLING_NAMES,
        editing_part=next((one for one in parts if one.code == part), None),
        choices=editing.choices_text(asked, further) if asked else "",
        wordings=dict,
        further=[(code, spoken(code).name if code in languages() else code) for code in further],
        filters=[one for one in draft.instrument.items if one.kind in ("fact", "single") and one is not asked],
        compared=compare(draft.instrument, draft.base) if draft.base else None,
        tomorrow=day_date(today() + 1).isoformat(),
    )


def _change(
    request: Request,
    user: SurveyManager,
    number: int,
    change: Any,
    anchor: str = "",
    *,
    ask: Callable[[drafts.Draft], AskFirst] | None = None,
) -> RedirectResponse:
    """Carry out a change of a draft and go back to it; `ask`: what is asked before, where nobody has confirmed it."""
    with write(engine_of(request)) as connection:
        draft = drafts.find_draft(connection, user.scope, number)
        drafts.save(connection, user.scope, draft, change(draft), user.user_id)
        if ask is not None:
            raise ask(draft)
    return RedirectResponse(f"/survey/instruments/drafts/{number}{anchor}", 303)


async def _texts(request: Request) -> dict[str, str]:
    form = await request.form(max_files=0, max_fields=200)
    return {key: value for key, value in form.items() if isinstance(value, str)}


@router.post("/drafts/{number}/head")
async def head(request: Request, user: SurveyManager, number: RowId) -> Response:
    """Change title, decision, overall question, pooling."""
    from anyio import to_thread

    texts = await _texts(request)
    return await to_thread.run_sync(
        lambda: _change(request, user, number, lambda draft: editing.set_head(draft.instrument, texts))
    )


@router.post("/drafts/{number}/items")
async def put_item(request: Request, user: SurveyManager, number: RowId) -> Response:
    """Add a question, or change one."""
    from anyio import to_thread

    texts = await _texts(request)

    def change(draft: drafts.Draft) -> Instrument:
        taken = {item.slot for one in shipped_instruments() if one.code == draft.instrument.code for item in one.items}
        return editing.put_item(draft.instrument, texts.get("old", ""), texts, taken)

    anchor = f"#q-{texts.get('code', '').strip()}"
    return await to_thread.run_sync(lambda: _change(request, user, number, change, anchor))


@router.post("/drafts/{number}/items/{code}/{step}")
def step(request: Request, user: SurveyManager, number: RowId, code: str, step: str, *, sure: Sure = False) -> Response:
    """Move a question up or down, or take it out."""
    if step not in ("up", "down", "remove"):
        return back(f"/survey/instruments/drafts/{number}")
    if step != "remove":
        rises = step == "up"
        return _change(
            request, user, number, lambda draft: editing.move_item(draft.instrument, code, rises), f"#q-{code}"
        )

    def ask(draft: drafts.Draft) -> AskFirst:
        words = next(item.named for item in draft.instrument.items if item.code == code)
        return _removal(Message("Remove question {code}: “{words}”?", code=code, words=words), number, f"#q-{code}")

    return _change(
        request,
        user,
        number,
        lambda draft: editing.remove_item(draft.instrument, code),
        "#questions",
        ask=None if sure else ask,
    )


def _removal(question: Message, number: int, anchor: str, **fields: str) -> AskFirst:
    """What is asked before something is taken out of a draft."""
    here = f"/survey/instruments/drafts/{number}"
    return AskFirst(question, then=FOR_GOOD, yes=Message("Remove"), fields=fields, back=here + anchor)


@router.post("/drafts/{number}/parts")
async def put_part(request: Request, user: SurveyManager, number: RowId, sure: Sure = False) -> Response:
    """Add, change or take out a factor or block."""
    from anyio import to_thread

    texts = await _texts(request)

    def change(draft: drafts.Draft) -> Instrument:
        if gone := texts.get("remove"):
            return editing.remove_part(draft.instrument, gone)
        return editing.put_part(draft.instrument, texts)

    def ask(draft: drafts.Draft) -> AskFirst:
        gone = texts["remove"]
        parts: list[Block | Factor] = [*draft.instrument.factors, *draft.instrument.blocks]
        words = next((one.named for one in parts if one.code == gone), "")
        question = Message("Remove part {code}: “{words}”?", code=gone, words=words)
        return _removal(question, number, "#parts", remove=gone)

    asks = ask if texts.get("remove") and not sure else None
    return await to_thread.run_sync(lambda: _change(request, user, number, change, "#parts", ask=asks))


@router.post("/drafts/{number}/remove")
def throw_away(request: Request, user: SurveyManager, number: RowId, sure: Sure = False) -> Response:
    """Throw a draft away."""
    with write(engine_of(request)) as connection:
        draft = drafts.find_draft(connection, user.scope, number)
        drafts.remove(connection, user.scope, draft, user.user_id)
        if not sure:
            question = Message("Throw the draft of {instrument} away?", instrument=draft.instrument.named)
            raise _removal(question, number, "#sign")
    return back("/survey/instruments", in_language(Message("The draft was thrown away."), language(request)))


@router.post("/drafts/{number}/sign")
def sign(
    request: Request, user: SurveyManager, number: RowId, first: Annotated[date, Form()], sure: Sure = False
) -> Response:
    """Sign a draft; boxes get the file and begin with it on that day."""
    config = web(request).config
    keys = load_keys(config.keys_dir / KEY_FILE_NAME, "server")
    with write(engine_of(request)) as connection:
        draft = drafts.find_draft(connection, user.scope, number)
        if not sure:
            drafts.refuse_to_sign(connection, user.scope, draft, first)
            raise AskFirst(
                Message(
                    "Sign {instrument}, to begin on {day}?",
                    instrument=draft.instrument.named,
                    day=day_words(day_index(first)),
                ),
                then=Joined((_SIGNED, FOR_GOOD), " "),
                yes=Message("Sign and roll out"),
                fields={"first": first.isoformat()},
                back=f"/survey/instruments/drafts/{number}#sign",
            )
        drafts.sign(
            connection,
            user.scope,
            draft,
            first=first,
            keys=keys,
            folder=config.data_dir / "instruments",
            user_id=user.user_id,
        )
    return back(
        f"/survey/instruments/drafts/{number}", in_language(Message("The instrument is signed."), language(request))
    )


@router.get("/drafts/{number}/preview")
def preview(
    request: Request,
    user: SurveyManager,
    number: RowId,
    on: Annotated[str, Query(pattern="^(tablet|phone|paper)$")] = "phone",
) -> Response:
    """The draft as citizens see it: on the tablet, on a telephone, on paper."""
    with read(engine_of(request)) as connection:
        draft = drafts.find_draft(connection, user.scope, number)
    instrument = draft.instrument
    screens = []
    for form in FORMS if on == "tablet" else ():
        try:
            screens.append((FORM_NAMES[form], make_questionnaire(instrument, form)))
        except HailongError:
            continue
    pages = len(_paper(request, user, instrument)) if on == "paper" else 0
    return render(
        request,
        "instrument_preview.html",
        draft=draft,
        instrument=instrument,
        on=on,
        screens=screens,
        pages=pages,
        sections=instrument.sections,
        topics={item.topic for item in instrument.further if item.kind == "text"},
    )


def _paper(request: Request, user: SurveyManager, instrument: Instrument) -> list[bytes]:
    province = province_of(request, user)
    return forms_pictures(
        instrument,
        [SAMPLE_CODE],
        province=province.name,
        agency=province.name,
        round_name="…",
        simulated=False,
        lang=language(request),
    )


@router.get("/drafts/{number}/paper-{page}.png")
def paper_page(request: Request, user: SurveyManager, number: RowId, page: RowId) -> Response:
    """One page of the paper form as a picture."""
    with read(engine_of(request)) as connection:
        draft = drafts.find_draft(connection, user.scope, number)
    pages = _paper(request, user, draft.instrument)
    if not 1 <= page <= len(pages):
        return Response(status_code=404)
    return Response(pages[page - 1], media_type="image/png", headers={"Cache-Control": "no-store"})


@router.get("/drafts/{number}/paper.pdf")
def paper_file(request: Request, user: SurveyManager, number: RowId) -> Response:
    """The paper form as it would be printed."""
    with read(engine_of(request)) as connection:
        draft = drafts.find_draft(connection, user.scope, number)
    province = province_of(request, user)
    pdf = forms_pdf(
        draft.instrument,
        [SAMPLE_CODE],
        province=province.name,
        agency=province.name,
        round_name="…",
        simulated=False,
        lang=language(request),
    )
    return download(pdf, f"mau-{draft.instrument.code}.pdf", "application/pdf")


@router.get("/drafts/{number}/file.toml")
def toml_file(request: Request, user: SurveyManager, number: RowId) -> Response:
    """The draft's file."""
    from pipeline.instruments.writing import write_instrument

    with read(engine_of(request)) as connection:
        draft = drafts.find_draft(connection, user.scope, number)
    return download(write_instrument(draft.instrument), draft.file_name, "application/toml")
