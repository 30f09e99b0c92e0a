"""Feedback of citizens (no log-in), and its handling by the staff; the hotline operator's form."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Query, Request
from fastapi.responses import Response

from pipeline.calendar import month_words, today
from pipeline.errors import InvalidError
from pipeline.instruments import Sheet
from pipeline.language import Joined, Message, in_language
from server.catalogue.agencies import read_agencies
from server.catalogue.reading import read_catalogue
from server.channels.after_sending import Sent, last_sent, to_page
from server.channels.forms import MAX_FIELDS, read_form
from server.channels.online.invitations import issue
from server.channels.pages import NOT_FOUND, public_limit, reasons_of, watch_of
from server.core.labels import FEEDBACK_CATEGORIES, FEEDBACK_STATES, ROLE_NAMES
from server.core.masking import tells_somebody
from server.core.provinces import province_by_code, province_by_id
from server.feedback.cases import (
    MAX_CHANGED,
    Answer,
    case_state,
    judge,
    published_answers,
    reopen_by_code,
    set_status,
    undo,
)
from server.feedback.deadlines import Deadlines, due_day, holidays_known
from server.feedback.feedback import MAX_TEXT, ask_once, items, receive
from server.feedback.search import PAGE_ROWS, WHICH, Wanted, counts_of, found_cases
from server.ratings.admission import Gate
from server.ratings.comments import store_comments
from server.ratings.rating import Place, Rating
from server.ratings.source import Source
from server.ratings.store import add
from server.rounds.rounds import all_rounds, find_round
from server.store.channels import HOTLINE
from server.store.engine import read, write
from server.web.confirm import AskFirst, Sure
from server.web.context import DataClerk, RowId, back, engine_of, language, public_address, render, row_id
from server.web.listing import Listing

router = APIRouter(include_in_schema=False)
_SAID = {
    "like": Message("Thank you. It is noted that the answer helped."),
    "dislike": Message(
        "Thank you. It is noted that the answer did not help. You may have the case opened again below."
    ),
    "reopen": Message("The case is open again; you will find the new answer under the same code."),
    "none": Message("This is not possible: there is no answer yet, or its days are over."),
}
_CLOSING = {
    "answered": Message("Answer the case {number} of {agency}?"),
    "rejected": Message("Refuse the case {number} of {agency}?"),
}
_FOR_ITS_HOLDER = Message("Whoever wrote reads your words with the code of the case.")
_PUBLISHED = Message("Whoever wrote reads your words with the code of the case, and everybody on the public page.")
_TELLS = Message(
    "It seems to tell who somebody is. With that taken out it reads: “{masked}” Go back and take it out, unless it "
    "names nobody."
)
_UNDO = Message("Today you can take it back, until it is judged.")
Words = Annotated[str, Query(max_length=80)]
_NOT_SHOWN = Message(
    "For an hour the browser that sent something shows it here. Do not send it again: look it up by its code."
)


def _province(request: Request, code: str) -> int:
    with read(engine_of(request)) as connection:
        found = province_by_code(connection, code)
    if found is None:
        raise HTTPException(404, NOT_FOUND)
    return found.province_id


def _form(
    request: Request, number: int, *, asked_code: str = "", new_code: str = "", said: Message | str = ""
) -> Response:
    """The public page: what was changed, the form, and what stands under a code."""
    with read(engine_of(request)) as connection:
        catalogue = read_catalogue(connection, number)
        state = case_state(connection, new_code or asked_code) if new_code or asked_code else None
        named = province_by_id(connection, number)
        answers = published_answers(connection, number)
    return render(
        request,
        "survey_feedback_form.html",
        embed=False,
        simulated_survey=named.simulated,
        asking=named,
        agencies=catalogue.existing(today()),
        categories=FEEDBACK_CATEGORIES,
        states=FEEDBACK_STATES,
        asked_code=asked_code,
        state=state,
        max_text=MAX_TEXT,
        new_code=new_code,
        said=said,
        answers=answers,
        month_words=month_words,
    )


@router.get("/feedback/{province}")
def feedback_form(
    request: Request, province: str, code: Annotated[str, Query(max_length=20)] = "", sent: bool = False
) -> Response:
    """The form for citizens, the state of a piece of feedback and its answer by its code, and what was changed; after
    something was `sent`, what became of it."""
    public_limit(request, "feedback", 60, 600.0)
    number = _province(request, province)
    if not sent or code:
        return _form(request, number, asked_code=code)
    last = last_sent(request, province)
    if last is None or last.what not in (*_SAID, "new"):
        return _form(request, number, said=_NOT_SHOWN)
    if last.what == "new":
        return _form(request, number, new_code=last.code)
    return _form(request, number, asked_code=last.code, said=_SAID[last.what])


@router.post("/feedback/{province}/answer")
def judge_answer(
    request: Request,
    province: str,
    code: Annotated[str, Form(max_length=20)],
    what: Annotated[str, Form(pattern="^(like|dislike|reopen)$")],
    more: Annotated[str, Form(max_length=MAX_TEXT)] = "",
) -> Response:
    """The holder of a code likes the answer or not, or has the case opened again."""
    public_limit(request, "feedback answer", 20, 3_600.0)
    _province(request, province)
    with write(engine_of(request)) as connection:
        done = reopen_by_code(connection, code, more) if what == "reopen" else judge(connection, code, what == "like")
    return to_page(request, f"/feedback/{province}", Sent(province, what if done else "none", code))


@router.post("/feedback/{province}")
def send_feedback(
    request: Request,
    province: str,
    agency: Annotated[RowId, Form()],
    category: Annotated[str, Form(max_length=20)],
    text: Annotated[str, Form(max_length=MAX_TEXT)],
    contact: Annotated[str, Form(max_length=120)] = "",
) -> Response:
    """Take a citizen's feedback in."""
    public_limit(request, "feedback post", 5, 3_600.0)
    number = _province(request, province)
    with write(engine_of(request)) as connection:
        catalogue = read_catalogue(connection, number)
        if agency not in catalogue.existing(today()):
            raise HTTPException(422, Message("There is no such agency."))
        code = receive(connection, number, agency, category=category, text=text, contact=contact)
    return to_page(request, f"/feedback/{province}", Sent(province, "new", code))


@router.get("/survey/feedback")
def feedback_list(
    request: Request,
    user: DataClerk,
    which: Words = "all",
    agency: Words = "",
    category: Words = "",
    q: Words = "",
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    done: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    sent: bool = False,
) -> Response:
    """What was received, the longest overdue first; `done`: the case with which a step was just taken; `sent`: with it
    came a link."""
    which = which if which in WHICH else "all"
    with read(engine_of(request)) as connection:
        agencies = read_agencies(connection, user.province_id)
        of_agency = next((one.agency_id for one in agencies if one.code == agency), 0)
        wanted = Wanted(which, of_agency, category if category in FEEDBACK_CATEGORIES else "", q)
        counts = counts_of(connection, user.province_id, wanted)
        found = found_cases(connection, user.province_id, wanted, page)
        province = province_by_id(connection, user.province_id)
        stepped = items(connection, user.province_id, feedback_id=done) if done else []
    last = last_sent(request, province.code) if sent and stepped else None
    has_link = last is not None and (last.what, last.case) == ("link", done)
    asked = {"which": which, "agency": agency, "category": category, "q": q}
    pages = max(1, -(-counts[which] // PAGE_ROWS))
    return render(
        request,
        "survey_feedback.html",
        table=Listing("/survey/feedback", asked, found, counts[which], page, pages, ""),
        which=which,
        counts=counts,
        names=WHICH,
        agency=agency,
        agencies=agencies,
        category=category,
        q=q,
        categories=FEEDBACK_CATEGORIES,
        states=FEEDBACK_STATES,
        public=f"/feedback/{province.code}",
        link=f"{public_address(request)}/s/{last.code}" if last and has_link else "",
        stepped=stepped[0] if stepped else None,
    )


@router.get("/survey/feedback/{number}")
def case_page(request: Request, user: DataClerk, number: RowId) -> Response:
    """One case: what was written, its days, and the steps that can be taken."""
    with read(engine_of(request)) as connection:
        found = items(connection, user.province_id, feedback_id=number)
        if not found:
            raise HTTPException(404, Message("There is no such feedback."))
        limits = Deadlines.of(connection, user.province_id)
        catalogue = read_catalogue(connection, user.province_id)
    (one,) = found
    return render(
        request,
        "survey_case.html",
        one=one,
        categories=FEEDBACK_CATEGORIES,
        states=FEEDBACK_STATES,
        roles=ROLE_NAMES,
        agencies=catalogue.agencies,
        existing=catalogue.existing(today()),
        refuse_by=due_day(one.received_day, limits.refuse),
        supplement_by=due_day(one.received_day, limits.supplement),
        publish_by=None if one.answered_day is None else due_day(one.answered_day, limits.publish),
        known=holidays_known(one.due_day),
        max_text=MAX_TEXT,
        max_changed=MAX_CHANGED,
        today=today(),
    )


@router.post("/survey/feedback/{number}")
def feedback_status(
    request: Request,
    user: DataClerk,
    number: RowId,
    status: Annotated[str, Form(max_length=12)],
    answer: Annotated[str, Form(max_length=MAX_TEXT)] = "",
    changed: Annotated[str, Form(max_length=MAX_CHANGED)] = "",
    public: Annotated[bool, Form()] = False,
    responsible: Annotated[RowId | None, Form()] = None,
    sure: Sure = False,
) -> Response:
    """Note where it stands. With an answer comes a one-time link about factor E, to send along."""
    token = ""
    with write(engine_of(request)) as connection:
        before = next(iter(items(connection, user.province_id, feedback_id=number)), None)
        set_status(
            connection,
            user.province_id,
            number,
            status,
            user.user_id,
            answer=Answer(answer, public, changed),
            responsible_id=responsible,
        )
        if status in _CLOSING and not sure and before is not None:
            asked = _CLOSING[status].with_params(number=number, agency=before.agency)
            then = [_PUBLISHED if public else _FOR_ITS_HOLDER, _UNDO]
            if public and (masked := tells_somebody(f"{answer}\n{changed}")):
                then.insert(0, _TELLS.with_params(masked=masked))
            raise AskFirst(
                asked,
                then=Joined(then, " "),
                yes=Message("Answer") if status == "answered" else Message("Refuse"),
                fields={
                    "status": status,
                    "answer": answer,
                    "changed": changed,
                    **({"public": "true"} if public else {}),
                },
                back=f"/survey/feedback/{number}",
            )
        opened = [one for one in all_rounds(connection, user.province_id) if one.open_now]
        if status == "answered" and opened:
            item = next(iter(items(connection, user.province_id, feedback_id=number)), None)
            if item is not None and ask_once(connection, user.scope, number):
                token = issue(
                    connection,
                    user.province_id,
                    opened[0].id,
                    item.agency_id,
                    service_group=item.service_group,
                    scope="feedback",
                    user_id=user.user_id,
                )[0]
        province = province_by_id(connection, user.province_id)
    sent = Sent(province.code, "link", token, case=number) if token else None
    return to_page(request, "/survey/feedback", sent, done=str(number))


@router.post("/survey/feedback/{number}/undo")
def undo_step(request: Request, user: DataClerk, number: RowId) -> Response:
    """Take back one's last step of today with a case."""
    with write(engine_of(request)) as connection:
        undo(connection, user.province_id, number, user.user_id)
    return back(f"/survey/feedback/{number}", in_language(Message("The step was taken back."), language(request)))


@router.get("/survey/hotline")
def hotline_form(request: Request, user: DataClerk) -> Response:
    """The operator's form: answers of a caller, or a complaint."""
    with read(engine_of(request)) as connection:
        opened = [one for one in all_rounds(connection, user.province_id) if one.open_now]
        catalogue = read_catalogue(connection, user.province_id)
    if not opened:
        return render(request, "survey_no_round.html")
    return render(
        request,
        "survey_hotline.html",
        rounds=opened,
        instrument=opened[0].load_instrument(),
        catalogue=catalogue,
        agencies=catalogue.existing(today()),
        categories=FEEDBACK_CATEGORIES,
    )


@router.post("/survey/hotline")
async def hotline(request: Request, user: DataClerk) -> Response:
    """Store a caller's answers (channel hotline), or a complaint."""
    from anyio import to_thread

    form = await request.form(max_files=0, max_fields=MAX_FIELDS)
    texts = {key: value for key, value in form.items() if isinstance(value, str)}
    chosen = [value for value in form.getlist("reason") if isinstance(value, str)]

    def work() -> str:
        watch = watch_of(request, user.province_id)
        with write(engine_of(request)) as connection:
            survey_round = find_round(connection, user.province_id, round_id=row_id(texts.get("round", "")) or 0)
            agency, group = row_id(texts.get("agency", "")) or 0, row_id(texts.get("group", "").lstrip("0")) or 0
            if (
                agency not in read_catalogue(connection, user.province_id).existing(today())
                or not survey_round.open_now
            ):
                raise InvalidError(Message("Choose an agency, and an open round."))
            instrument = survey_round.load_instrument()
            given = read_form(instrument, texts, whole=False)
            answers = given.answers
            place = Place(user.province_id, agency, service_group=group)
            said: list[str] = []
            if any(answers) or given.more:
                rating = Rating.checked(
                    instrument,
                    Sheet(answers, given.more),
                    place=place,
                    channel=HOTLINE,
                    day=today(),
                    today=today(),
                    reasons=reasons_of(instrument, chosen) if 0 < answers[0] <= 3 else 0,
                    part=True,
                )
                suspicion = watch.judge(
                    instrument,
                    answers,
                    more=given.more,
                    place=f"{user.province_id} {agency} {HOTLINE}",
                    channel=HOTLINE,
                    network=f"user {user.user_id}",
                )
                gate = Gate(connection, user.scope, Source.staff(user.user_id))
                add(connection, [gate.admit(rating, suspicion)])
                said.append(Message("Answers stored."))
            if texts.get("text", "").strip():
                code = receive(
                    connection,
                    user.province_id,
                    agency,
                    category=texts.get("category", "other"),
                    text=texts["text"],
                    contact=texts.get("contact", ""),
                    channel=HOTLINE.code,
                    service_group=group,
                )
                said.append(Message("Feedback code: {code}", code=code))
            store_comments(connection, place, given.words)
            if not said:
                raise InvalidError(Message("Nothing was entered."))
            return in_language(Joined(said, " "), language(request))

    return back("/survey/hotline", await to_thread.run_sync(work))
