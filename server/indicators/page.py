"""The satisfaction group of Decision 766 as pages: the province, each unit; and as JSON."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from calibration.decision766 import PARTS
from pipeline.calendar import Period, month_words, parse_period
from pipeline.language import Message
from server.auth.roles import Permission, User
from server.feedback.feedback import items
from server.indicators.board import SHOWN_PAIRS, Board, choose_origin, make_board, running_month, series
from server.indicators.counts import PROVINCE, held_periods
from server.indicators.words import ORIGIN_NAMES, PART_NAMES, move_words, series_plot
from server.store.engine import read
from server.store.tables.feedback import feedback
from server.web.context import ScoreReader, engine_of, language, render
from server.web.listing import listing
from server.web.table_files import table_file

router = APIRouter()

PeriodText = Annotated[str, Query(max_length=30)]
OriginText = Annotated[str, Query(max_length=10)]
SHOWN_PETITIONS = 20


def board_for(connection: Connection, user: User, period: str, origin: str) -> tuple[Board, list[Period]]:
    """The board that a user may see, and the periods there are: without a period asked for, the newest."""
    held = held_periods(connection, user.scope)
    chosen = parse_period(period) if period else held[0] if held else running_month()
    return make_board(connection, user.scope, chosen, choose_origin(connection, user.scope, chosen, origin)), held


@router.get("/survey/766", include_in_schema=False)
def province_page(
    request: Request,
    user: ScoreReader,
    period: PeriodText = "",
    origin: OriginText = "",
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """Every unit: points, interval, ranks that the counts allow; what may not be said; what would move the score."""
    with read(engine_of(request)) as connection:
        board, held = board_for(connection, user, period, origin)
        line = series(connection, user.scope, PROVINCE, board.period, board.origin) if board.province else None
    return render(
        request,
        "indicators766.html",
        board=board,
        table=listing("/survey/766", {"period": period, "origin": origin}, board.rows, {}, sort="", page=page),
        period=board.period,
        held=held,
        origins=ORIGIN_NAMES,
        parts=PART_NAMES,
        move_words=move_words,
        series=line,
        month_words=month_words,
        plot=series_plot(line, language(request)) if line else "",
    )


@router.get("/survey/766.csv", include_in_schema=False)
def board_file(request: Request, user: ScoreReader, period: PeriodText = "", origin: OriginText = "") -> Response:
    """The table of all units as a file: counts, points with what the counts support, rank sets."""
    with read(engine_of(request)) as connection:
        board, _ = board_for(connection, user, period, origin)
    rows = []
    for row in [*([board.province] if board.province else []), *board.rows]:
        told = row.to_dict()
        points = {name: told[name] for name in (*PARTS, "total")}
        rows.append(
            {
                "period": board.period.name,
                "origin": str(board.origin),
                "code": told["code"],
                "name_vi": told["name_vi"],
                **told["counts"],
                "counts_until": told["counts_until"],
                **{f"{name}_points": one["points"] for name, one in points.items()},
                **{f"{name}_low": one["low"] for name, one in points.items()},
                **{f"{name}_high": one["high"] for name, one in points.items()},
                "best": told["ranks"]["best"] if told["ranks"] else None,
                "worst": told["ranks"]["worst"] if told["ranks"] else None,
            }
        )
    return table_file(request, rows, f"qd766-{board.period.name}.csv")


@router.get("/survey/766/{code}", include_in_schema=False)
def unit_page(
    request: Request, user: ScoreReader, code: str, period: PeriodText = "", origin: OriginText = ""
) -> Response:
    """One unit: its parts, what would move them, its line through the mergers that made it."""
    with read(engine_of(request)) as connection:
        board, held = board_for(connection, user, period, origin)
        row = next((one for one in board.rows if one.unit.code == code), None)
        if row is None:
            raise HTTPException(404, Message("There is no such unit, or nothing is told of it in this period."))
        line = series(connection, user.scope, row.unit.id, board.period, board.origin)
        waiting = []
        if user.may(Permission.ENTER_RATINGS):
            of_unit = [feedback.c.agency_id == row.unit.id]
            waiting = items(connection, user.province_id, open_only=True, where=of_unit, limit=SHOWN_PETITIONS)
    unsupported = board.unsupported_of(row) if user.agency_id is None else []
    return render(
        request,
        "indicators766_unit.html",
        board=board,
        row=row,
        period=board.period,
        held=held,
        origins=ORIGIN_NAMES,
        parts=PART_NAMES,
        move_words=move_words,
        unsupported=unsupported[:SHOWN_PAIRS],
        unsupported_count=len(unsupported),
        waiting=waiting,
        series=line,
        month_words=month_words,
        plot=series_plot(line, language(request)),
    )


@router.get("/api/v1/indicators766", tags=["indicators"])
def indicators_json(
    request: Request, user: ScoreReader, period: PeriodText = "", origin: OriginText = ""
) -> dict[str, Any]:
    """The satisfaction group of Decision 766: every unit's counts, points, intervals, ranks, forecast and moves."""
    with read(engine_of(request)) as connection:
        return board_for(connection, user, period, origin)[0].to_dict()
