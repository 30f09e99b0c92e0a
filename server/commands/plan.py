"""The sampling plan of a round: sizes, three-stage draw, returns, and who still has to be asked.

    hailong server plan --round 2026-Q4 --frame 2026-Q3 --code main --seed 2026
    hailong server plan --show main
    hailong server plan --show main --json
    hailong server plan --show main --out plan/
    hailong server plan --show main --call-back 300 --seed 7
    hailong server plan --show main --call-back-answers calls.csv

Sizes follow n = N / (1 + N e^2) for the province, each level or each agency (--scope), allocated in proportion to the
transactions or by Neyman's rule with cost (--method neyman --cost xa=2). The draw follows from the seed alone.

--call-back draws who is called of those who were asked, and tells the price before a call is made; its answers (a CSV
of agency, reached, satisfied) mend every figure for a response that depends on satisfaction (ADR 0178).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.language import Message, of_environment, translator

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from server.sampling.plan import PlanState


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    from pipeline.language import languages
    from server.commands.options import add_store

    add_store(parser)
    parser.add_argument("--show", metavar="PLAN", help="show a plan and its returns; makes nothing")
    parser.add_argument("--round", help="code of the round that the plan is for")
    parser.add_argument("--code", default="", help="code of the new plan (the round's code)")
    parser.add_argument("--frame", help="period of the transactions, such as 2026-Q3 or 2026-01..2026-09")
    parser.add_argument("--seed", type=int, default=1, help="seed of the draw (1)")
    parser.add_argument("--error", type=float, default=0.05, help="e of the formula (0.05)")
    parser.add_argument("--scope", default="level", help="the formula's populations: province, level, agency (level)")
    parser.add_argument("--method", default="proportional", help="proportional or neyman (proportional)")
    parser.add_argument("--cost", action="append", default=[], metavar="LEVEL=COST", help="cost of a form by level")
    parser.add_argument("--agencies", type=float, default=1.0, help="share of each level's agencies drawn (1.0)")
    parser.add_argument("--groups", type=int, default=0, help="service groups drawn in an agency (0: all)")
    parser.add_argument("--forms", type=int, default=0, help="forms in all, instead of the formula")
    parser.add_argument("--call-back", type=int, metavar="CALLS", help="draw a call-back of those who did not answer")
    parser.add_argument("--call-back-answers", type=Path, metavar="CSV", help="figures corrected by its answers")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write the plan as DOCX and PDF into this folder")
    parser.add_argument("--lang", default="vi", choices=languages(), help="language of these files (vi)")
    parser.add_argument("--json", action="store_true", help="the plan as JSON, with every transaction drawn")


def run(args: argparse.Namespace) -> int:
    """Make a plan, or show one."""
    from calibration.sampling import PlanSettings
    from pipeline.errors import InvalidError
    from server.commands.options import open_engine, province_id
    from server.core.provinces import province_by_id
    from server.documents.docx import report_docx
    from server.documents.office import read_office
    from server.documents.pdf import report_pdf
    from server.sampling.document import plan_document
    from server.sampling.plan import make_plan, plan_state
    from server.store.engine import read, write

    engine = open_engine(args)
    with read(engine) as connection:
        province = province_id(connection, args)
    code = args.show
    if args.call_back or args.call_back_answers:
        return _call_back(args, engine, province)
    if code is None:
        if not args.round or not args.frame:
            raise InvalidError(Message("A plan needs --round and --frame."), Message("Or show one with --show PLAN."))
        settings = PlanSettings(
            frame=args.frame,
            seed=args.seed,
            error=args.error,
            scope=args.scope,
            method=args.method,
            agencies=args.agencies,
            groups=args.groups,
            forms=args.forms,
            costs=tuple(_cost(text) for text in args.cost),
        )
        code = args.code or args.round
        with write(engine) as connection:
            make_plan(connection, province, args.round, code, settings, None)
    with read(engine) as connection:
        state = plan_state(connection, province, code)
        office, named = read_office(connection, province), province_by_id(connection, province)
    engine.dispose()
    if args.out is not None:
        args.out.mkdir(parents=True, exist_ok=True)
        document = plan_document(state, named, office, args.lang)
        for suffix, content in ((".docx", report_docx(document)), (".pdf", report_pdf(document))):
            path = args.out / f"ke-hoach-{named.code}-{state.code}{suffix}"
            path.write_bytes(content)
            print(path, file=sys.stderr if args.json else sys.stdout)
    if args.json:
        rows = [row.to_dict() for row in state.rows]
        values = {"plan": state.code, "round": state.round.code, "settings": state.settings, "strata": rows}
        print(json.dumps({**values, "forms": state.forms, "returned": state.returned}, ensure_ascii=False))
        return 0
    print(_table(state))
    return 0


def _call_back(args: argparse.Namespace, engine: Engine, province: int) -> int:
    """The draw of a call-back with its price and script, or the figures that its answers give."""
    from pipeline.errors import InvalidError
    from server.sampling.call_back import answers_of, corrected_text, draw_text
    from server.sampling.plan import plan_state
    from server.store.engine import read

    if args.show is None:
        raise InvalidError(Message("A call-back is of a plan."), Message("Name it with --show PLAN."))
    _ = translator(of_environment(os.environ))
    with read(engine) as connection:
        state = plan_state(connection, province, args.show)
        if args.call_back_answers is not None:
            print(corrected_text(connection, province, state, answers_of(args.call_back_answers), _))
        else:
            print(draw_text(connection, province, state, args.call_back, args.seed, _))
    engine.dispose()
    return 0


def _cost(text: str) -> tuple[str, float]:
    from pipeline.errors import InvalidError

    level, _equals, value = text.partition("=")
    try:
        return level, float(value)
    except ValueError:
        raise InvalidError(
            Message("'{text}' is no cost.", text=text), Message("Write LEVEL=COST, such as xa=2.")
        ) from None


def _table(state: PlanState) -> str:
    _ = translator(of_environment(os.environ))
    title = _(
        "Plan {plan}, round {round}: {returned} of {forms} sheets",
        plan=state.code,
        round=state.round.code,
        returned=state.returned,
        forms=state.forms,
    )
    heads = (_("Agency"), _("Field"), _("Transactions"), _("Sheets"), _("Returned"), _("To ask"))
    lines = [title, "", "{:<38}{:<34}{:>12}{:>8}{:>9}{:>9}".format(*heads)]
    lines += [
        f"{_(row.agency_name)[:37]:<38}{_(row.group_name)[:33]:<34}{row.transactions:>12,}{row.forms:>8}"
        f"{row.returned:>9}{row.to_ask:>9}"
        for row in state.rows
    ]
    return "\n".join(lines)
