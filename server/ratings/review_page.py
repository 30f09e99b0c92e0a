"""Review of suspicious ratings, and coding of expectations and suggestions by a person."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from pipeline.instruments import RatingFlag
from pipeline.language import Message, in_language
from server.core.labels import COMMENT_CODES
from server.ratings.comments import give_code, uncoded
from server.ratings.held import held_sheets, rows_for_review
from server.ratings.store import restore, withdraw
from server.store.channels import CHANNELS
from server.store.engine import read, write
from server.store.tables.ratings import RatingState
from server.web.context import Reviewer, RowId, back, engine_of, language, render

router = APIRouter(prefix="/survey", include_in_schema=False)
SHOWN = 200


@router.get("/review")
def review_page(request: Request, user: Reviewer) -> Response:
    """Ratings that were set aside, newest first, each with its reason."""
    with read(engine_of(request)) as connection:
        rows = rows_for_review(connection, user.scope, SHOWN)
        held = held_sheets(connection, user.scope)
    return render(
        request,
        "survey_review.html",
        rows=rows,
        flags=RatingFlag,
        aside=int(RatingState.SET_ASIDE),
        channels=CHANNELS.names,
        held=held,
        me=user.user_id,
        shown=SHOWN,
    )


@router.post("/review/{number}")
def decide(
    request: Request, user: Reviewer, number: RowId, what: Annotated[str, Form(pattern="^(restore|withdraw)$")]
) -> Response:
    """Count a rating again, or ask that one be set aside: done when a second person asks. All is in the log."""
    message = ""
    with write(engine_of(request)) as connection:
        if what == "restore":
            restore(connection, user.scope, number, user.user_id)
        elif not withdraw(connection, user.scope, number, user.user_id):
            message = in_language(Message("Noted; a second person has to confirm it."), language(request))
    return back("/survey/review", message)


@router.get("/comments")
def comments_page(request: Request, user: Reviewer) -> Response:
    """Texts that nobody has coded yet."""
    with read(engine_of(request)) as connection:
        rows = uncoded(connection, user.scope, 50)
    return render(request, "survey_comments.html", rows=rows, codes=COMMENT_CODES)


@router.post("/comments/{number}")
def code_comment(
    request: Request, user: Reviewer, number: RowId, code: Annotated[str, Form(max_length=30)]
) -> Response:
    """Give a text its code."""
    with write(engine_of(request)) as connection:
        give_code(connection, user.scope, number, code, user.user_id)
    return back("/survey/comments")
