"""The online form: one page behind a one-time link or QR code, and the same for embedding in the province's portal.

The token in the address is what gives the right to answer, so the form needs no cookie: it works inside the portal's
frame. Answers go in with the day alone; nothing joins them to the link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response
from itsdangerous import BadSignature, URLSafeSerializer

from pipeline.calendar import today
from pipeline.instruments import Instrument, Sheet
from pipeline.instruments.instrument import Block, Factor, Item
from pipeline.instruments.questionnaire import minutes_for
from pipeline.language import Message, Plural, Text, in_language
from server.catalogue.reading import read_catalogue
from server.channels.after_sending import Sent, last_sent, to_page
from server.channels.forms import MAX_FIELDS, read_form
from server.channels.online.invitations import Invitation, digest, find, use
from server.channels.pages import (
    NO_FORM,
    NOT_FOUND,
    device_of,
    network_of,
    public_limit,
    reasons_of,
    seconds_since,
    signed_now,
    watch_of,
)
from server.core.provinces import is_origin, province_by_code, province_by_id, read_setting
from server.core.scope import Scope
from server.ratings.admission import Gate
from server.ratings.comments import MAX_COMMENT, store_comments
from server.ratings.rating import Place, Rating, Unfit, UnfitSheetError
from server.ratings.source import Source, SourceKind
from server.ratings.store import add
from server.rounds.rounds import Round, all_rounds, find_round
from server.store.channels import CHANNELS
from server.store.engine import read, write
from server.web.context import engine_of, language, no_csrf, render, web
from server.web.cookies import cookie, keep_cookie

router = APIRouter(include_in_schema=False)
_RATED_COOKIE = "hl_rated"
LOW = 2
"""An overall answer up to which the thanks offer to be called back."""
_TOO_FEW = {
    True: Message(
        "Not enough yet: answer the overall question and at least half of the others. Your answers are kept below."
    ),
    False: Message("Answer at least one question."),
}
_ONLY_OVERALL = Message(
    "You may also send the overall answer alone: it counts as such, and what you have ticked of the others is left out."
)
_GONE = {
    "used": Message("This link has been used. Each link works once."),
    "dossier": Message("This dossier has been rated. Thank you: every dossier is rated once."),
    "expired": Message("This link has expired."),
    "closed": Message("The survey has ended."),
}


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a token leads to."""

    invitation: Invitation
    round: Round
    instrument: Instrument
    agency: Text
    portal: str
    simulated: bool
    province: str


def _look_up(request: Request, token: str) -> _Asked:
    public_limit(request, "online", 120, 600.0)
    with read(engine_of(request)) as connection:
        invitation = find(connection, token)
        if invitation is None:
            raise HTTPException(404, NO_FORM)
        survey_round = find_round(connection, invitation.province_id, round_id=invitation.round_id)
        if invitation.of_dossier and not survey_round.open_now:
            opened = (one for one in all_rounds(connection, invitation.province_id) if one.open_now)
            survey_round = next(opened, survey_round)
        agency = read_catalogue(connection, invitation.province_id).agencies[invitation.agency_id]
        portal = str(read_setting(connection, invitation.province_id, "portal_origin"))
        province = province_by_id(connection, invitation.province_id)
    return _Asked(
        invitation,
        survey_round,
        survey_round.asked_by(digest(token)),
        agency.name,
        portal,
        province.simulated,
        province.code,
    )


def _sections(survey_round: _Asked) -> list[tuple[Factor | Block, tuple[Item, ...]]]:
    """The parts that are asked: all, or the factor about feedback without its facts."""
    found = survey_round.instrument.sections
    if survey_round.invitation.scope == "form":
        return list(found)
    return [
        (part, tuple(item for item in items if item.kind == "criterion")) for part, items in found if part.code == "E"
    ]


def _show(
    request: Request,
    token: str,
    survey_round: _Asked,
    *,
    embed: bool,
    problem: str = "",
    status: int = 200,
    given: Mapping[str, str] | None = None,
    given_reasons: Sequence[str] = (),
    tells_used: bool = False,
    offers_alone: bool = False,
) -> Response:
    """The form, with what was `given` already ticked: nobody answers twenty questions twice. `offers_alone`: the
    overall answer is there and most others are not, and it may be sent alone.

    Whether a link was used is told to the browser that used it, and to whoever has filled the form in (`tells_used`):
    the staff that printed a receipt knows its link, and could else look who has answered."""
    of_dossier = "dossier" if survey_round.invitation.of_dossier else "used"
    tells_used = tells_used or _has_rated(request, token)
    gone = (
        of_dossier
        if survey_round.invitation.used and tells_used
        else "expired"
        if survey_round.invitation.expired
        else ""
    )
    gone = gone or ("" if survey_round.round.open_now else "closed")
    sections = _sections(survey_round)
    began = (given or {}).get("shown", "")  # whoever mends a sheet began it when it was first shown
    whole = survey_round.invitation.scope == "form"
    count = int(whole) + sum(len(items) for _, items in sections)
    response = render(
        request,
        "survey_gone.html" if gone else "survey_online.html",
        410 if gone else status,
        embed=embed,
        agency=survey_round.agency,
        gone=_GONE.get(gone, ("", "")),
        lost="/s/" if gone == "expired" else None,
        count=count,
        length=Plural(
            "1 question, about {minutes} min.",
            "{count} questions, about {minutes} min. You may leave out what you do not want to answer.",
            count=count,
            minutes=minutes_for(count),
        ),
        instrument=survey_round.instrument,
        sections=sections,
        topics={item.topic for item in survey_round.instrument.further if item.kind == "text"},
        whole=whole,
        action=f"/{'embed' if embed else 's'}/{token}",
        shown=began if seconds_since(request, began) is not None else signed_now(request),
        problem=problem,
        offer=_ONLY_OVERALL if offers_alone else None,
        given=given or {},
        given_reasons=given_reasons,
        max_comment=MAX_COMMENT,
        simulated_survey=survey_round.simulated,
    )
    return _framed(response, survey_round.portal) if embed else response


def _framed(response: Response, portal: str) -> Response:
    """Let the province's portal, and nobody else, show the page in a frame."""
    origin = portal if is_origin(portal) else "'none'"
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
        f"base-uri 'none'; frame-ancestors {origin}"
    )
    return response


@router.get("/s/{token}")
def online_form(request: Request, token: str) -> Response:
    """The form behind a one-time link."""
    return _show(request, token, _look_up(request, token), embed=False)


@router.get("/embed/{token}")
def embedded_form(request: Request, token: str) -> Response:
    """The same form inside the portal's frame."""
    return _show(request, token, _look_up(request, token), embed=True)


@router.post("/s/{token}")
@no_csrf
async def answer(request: Request, token: str) -> Response:
    """Take the answers; the link is used up in the same transaction."""
    return await _answer(request, token, embed=False)


@router.post("/embed/{token}")
@no_csrf
async def embedded_answer(request: Request, token: str) -> Response:
    """Take the answers of the embedded form."""
    return await _answer(request, token, embed=True)


async def _answer(request: Request, token: str, *, embed: bool) -> Response:
    from anyio import to_thread

    form = await request.form(max_files=0, max_fields=MAX_FIELDS)
    texts = {key: value for key, value in form.items() if isinstance(value, str)}
    chosen = [value for value in form.getlist("reason") if isinstance(value, str)]
    return await to_thread.run_sync(_store, request, token, texts, chosen, embed)


def _store(request: Request, token: str, texts: dict[str, str], chosen: list[str], embed: bool) -> Response:
    survey_round = _look_up(request, token)
    if survey_round.invitation.expired or not survey_round.round.open_now:
        return _show(request, token, survey_round, embed=embed)
    whole = survey_round.invitation.scope == "form"
    given = read_form(survey_round.instrument, texts, whole=whole)
    answers, more = given.answers, given.more
    if not whole:
        kept = {item.slot for item in survey_round.instrument.of_factor("E")}
        answers = tuple(answer if slot in kept else 0 for slot, answer in enumerate(answers))
        more = {slot: value for slot, value in more.items() if slot in kept}
    invitation = survey_round.invitation
    place = Place(
        invitation.province_id,
        invitation.agency_id,
        service_id=invitation.service_id,
        service_group=invitation.service_group,
        handling_id=invitation.handling_id,
        deciding_id=invitation.deciding_id,
    )
    checked = partial(
        Rating.checked,
        survey_round.instrument,
        place=place,
        channel=CHANNELS[invitation.channel],
        day=today(),
        today=today(),
        reasons=reasons_of(survey_round.instrument, chosen) if 0 < answers[0] <= 3 else 0,
    )
    try:
        rating = checked(Sheet(answers, more), part=not whole)
    except UnfitSheetError as error:
        # an answer to the overall question counts alone where whoever gave it says so: nobody is counted by a slip
        may_alone = whole and answers[0] > 0 and error.reason is Unfit.TOO_FEW
        if not (may_alone and texts.get("alone")):
            wrong = error.message if error.reason is Unfit.CHOICE else _TOO_FEW[whole]
            return _show(
                request,
                token,
                survey_round,
                embed=embed,
                problem=in_language(wrong, language(request)),
                status=422,
                given=texts,
                given_reasons=chosen,
                offers_alone=may_alone,
            )
        # the first questions of the list would weigh more than the last ones: of a sheet that breaks off none counts
        answers, more = (answers[0], *(0 for _ in answers[1:])), {}
        rating = checked(Sheet(answers, more), part=True)
    if invitation.used:
        return _show(request, token, survey_round, embed=embed, tells_used=True)
    suspicion = watch_of(request, invitation.province_id).judge(
        survey_round.instrument,
        answers,
        more=more,
        place=f"{invitation.province_id} {invitation.agency_id} {invitation.channel}",
        channel=rating.channel,
        taken_s=seconds_since(request, texts.get("shown", "")),
        device=device_of(request),
        network=network_of(request),
    )
    with write(engine_of(request)) as connection:
        if not use(connection, invitation):
            raise HTTPException(410, _GONE["used"])
        gate = Gate(connection, Scope(invitation.province_id), Source(SourceKind.LINK))
        add(connection, [gate.admit(rating, suspicion)])
        store_comments(connection, place, given.words)
    # who is not content may leave a contact and gets a case; within a portal's frame there is no form of ours to send
    low = 0 < answers[0] <= LOW and not embed
    response = to_page(
        request,
        f"{'/embed' if embed else ''}/thanks/{survey_round.province}",
        Sent(survey_round.province, "low", agency_id=invitation.agency_id) if low else None,
    )
    rated = str(_rated(request).dumps(digest(token)))
    keep_cookie(response, web(request).config, _RATED_COOKIE, rated)
    return _framed(response, survey_round.portal) if embed else response


@router.get("/thanks/{province}")
def thanks(request: Request, province: str, sent: bool = False) -> Response:
    """What is said after the answers were taken; whoever was not content may ask to be called back."""
    return _thanks(request, province, sent=sent)


@router.get("/embed/thanks/{province}")
def embedded_thanks(request: Request, province: str) -> Response:
    """The same within the portal's frame."""
    return _thanks(request, province, embed=True)


def _thanks(request: Request, code: str, *, sent: bool = False, embed: bool = False) -> Response:
    public_limit(request, "online", 120, 600.0)
    with read(engine_of(request)) as connection:
        province = province_by_code(connection, code)
        if province is None:
            raise HTTPException(404, NOT_FOUND)
        portal = str(read_setting(connection, province.province_id, "portal_origin"))
    last = last_sent(request, code) if sent else None
    low = last is not None and last.what == "low"
    response = render(
        request,
        "survey_thanks.html",
        embed=embed,
        simulated_survey=province.simulated,
        callback={"province": code, "agency": last.agency_id} if low and last else None,
        max_comment=MAX_COMMENT,
    )
    return _framed(response, portal) if embed else response


def _rated(request: Request) -> URLSafeSerializer:
    return URLSafeSerializer(web(request).secret, "rated")


def _has_rated(request: Request, token: str) -> bool:
    """Whether this browser, since it was opened, has rated by this link."""
    try:
        return bool(_rated(request).loads(cookie(request, web(request).config, _RATED_COOKIE) or "") == digest(token))
    except BadSignature:
        return False
