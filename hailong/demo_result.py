"""What a run of the demo has led to: what the server stored, and the result in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline.language import Message, Number
from pipeline.language.console import console_translator

PROVINCE = "trinh-dien"


def open_store(folder: Path) -> Any:
    """The engine of the demo's store; whoever asks disposes of it."""
    from server.store.engine import connect

    return connect(str(folder / "server" / "store.sqlite"))


def stored(folder: Path) -> dict[str, int]:
    """How many releases of each kind, and ratings, the server has stored."""
    from sqlalchemy import func, select

    from server.store.engine import read
    from server.store.tables.ratings import ratings
    from server.store.tables.releases import releases

    engine = open_store(folder)
    try:
        with read(engine) as connection:
            kinds = connection.execute(select(releases.c.kind, func.count()).group_by(releases.c.kind))
            found = {"pulse": 0, "evidence": 0} | {str(kind): int(count) for kind, count in kinds}
            found["ratings"] = int(connection.execute(select(func.count()).select_from(ratings)).scalar_one())
    finally:
        engine.dispose()
    return found


def result_of(
    folder: Path, records: Mapping[int, Path], totals: Sequence[Mapping[str, Any]], duration_s: float
) -> dict[str, Any]:
    """The result as `--json` prints it. `records`: what each box noted of what it sent, by its number at the server;
    `totals`: what each box printed at its end."""
    from hailong.demo_account import compare

    engine = open_store(folder)
    try:
        account = compare(records, engine)
        agencies = _agencies(engine)
    finally:
        engine.dispose()
    waiting = sum(int(box["waiting"]) + int(box["sheets"]) + int(box["refused"]) for box in totals)
    return {
        "visits": sum(int(box["visits"]) for box in totals),
        **asdict(account),
        "ratings_given": sum(int(box["ratings"]) for box in totals),
        "unsent": waiting,
        "agencies": agencies,
        "duration_s": round(duration_s, 1),
        "sent_is_stored": account.sent_is_stored and waiting == 0,
        "simulated": "faces and voices are real; visits, citizens and ratings are simulated",
    }


def _agencies(engine: Any) -> list[dict[str, Any]]:
    from server.core.provinces import find_province
    from server.scores.fused import agency_scores, newest_period
    from server.store.engine import read

    with read(engine) as connection:
        province = find_province(connection, PROVINCE)
        period = newest_period(connection, province.province_id)
    names = ("id", "index_explicit", "index_fused", "verdict", "ci_low", "ci_high", "n_explicit", "n_implicit")
    return [
        {name: getattr(score, name) for name in names} for score in agency_scores(engine, province.province_id, period)
    ]


def summary(result: Mapping[str, Any], folder: Path) -> str:
    """The result in words, in the language of the command line."""
    _ = console_translator()
    counts = {
        "visits": Number(result["visits"]),
        "sent": Number(result["releases_sent"]),
        "stored": Number(result["releases_stored"]),
        "ratings": Number(result["ratings_stored"]),
    }
    if result["sent_is_stored"]:
        whole = Message(
            "{visits} visits, {sent} releases sent, {stored} stored, {ratings} ratings stored: everything sent is "
            "stored.",
            **counts,
        )
    else:
        whole = Message(
            "{visits} visits, {sent} releases sent, {stored} stored, {ratings} ratings stored: NOT EVERYTHING THAT WAS "
            "SENT IS STORED.",
            **counts,
        )
    lines = [_(whole)]
    for agency in result["agencies"]:
        fused = agency["index_fused"]
        told = Message(
            "{agency} explicit {index} [{low}, {high}], fused: {fused} ({ratings} ratings, about {visits} visits)",
            agency=f"{agency['id']:<20}",
            index=Number(agency["index_explicit"], 1),
            low=Number(agency["ci_low"], 1),
            high=Number(agency["ci_high"], 1),
            fused=Message("not calibrated") if fused is None else Number(fused, 1),
            ratings=Number(agency["n_explicit"]),
            visits=Number(agency["n_implicit"]),
        )
        lines.append(f"  {_(told)}")
    of_past = Message(
        "Figures are made of days that are over: today's ratings come into them when the quarter has enough."
    )
    lines.append(f"  {_(of_past)}")
    lines.append(_("Files for the audits: {folder}. Visits, citizens and ratings were simulated.", folder=folder))
    return "\n".join(lines)
