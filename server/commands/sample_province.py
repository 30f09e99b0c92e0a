"""Generate a province for trying things: 14 departments, 100 communes and wards, services, transactions, and ratings on
every channel for several quarters. Two tiers, as provinces are since July 2025; `--tiers 3` has districts.
Everything is simulated and labelled so on every page, file and report; the same seed gives the same province.

    hailong server sample-province --seed 1 --store sqlite:///province.sqlite
    hailong server score --store sqlite:///province.sqlite --period 2026-Q3 --instrument 2640
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
from typing import TYPE_CHECKING

from pipeline.language import Day, Message, Number
from pipeline.language.console import say
from server.commands.options import ONCE

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from pipeline.calendar import Period


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    from server.commands.options import add_store

    add_store(parser, province=False)
    parser.add_argument("--seed", type=int, default=1, help="seed of the generator (1)")
    parser.add_argument("--code", default="mau", help="code of the new province (mau)")
    parser.add_argument("--instrument", default="2640", help="instrument of the ratings (2640)")
    parser.add_argument("--last", default="2026-Q3", help="last quarter (2026-Q3)")
    parser.add_argument("--quarters", type=int, default=7, help="how many quarters up to the last (7)")
    parser.add_argument("--sheets", type=int, default=8_000, help="ratings a quarter, about (8000)")
    parser.add_argument("--communes", type=int, default=100, help="communes and wards, 1 to 200 (100)")
    parser.add_argument("--tiers", type=int, choices=(2, 3), default=2, help="2, or 3 with districts (2)")
    parser.add_argument(
        "--rho",
        type=float,
        default=0.4,
        help="simulate boxes and monthly evidence whose levels go with the ratings at this correlation, 0 to .6 (0.4)",
    )
    parser.add_argument("--no-boxes", action="store_true", help="ratings alone, as in a province without cameras")
    parser.add_argument("--json", action="store_true", help="say what was generated as JSON")


def _weight(connection: Connection, province_id: int, instrument: str, months: Period) -> None:
    """Weight every settled quarter to its transactions by tier and field, so that `/survey/raked` has figures."""
    from pipeline.calendar import quarter_of_month
    from pipeline.errors import InvalidError
    from pipeline.instruments import load_instrument
    from server.scores.kept_margins import keep_margins

    for month in range(months.first_month, months.last_month + 1, 3):
        with contextlib.suppress(InvalidError):  # a quarter that is not settled
            keep_margins(connection, province_id, load_instrument(instrument), quarter_of_month(month), None)


def run(args: argparse.Namespace) -> int:
    """Generate the province; the store is made where there is none."""
    from pipeline.calendar import Period, day_date, month_of_day
    from server.auth.users import make_user
    from server.commands.options import open_engine
    from server.core.config import load_config, own_keys
    from server.simulation.evidence import simulate_evidence
    from server.simulation.province import simulate_province
    from server.store.engine import write
    from server.store.tables.users import Role

    engine = open_engine(args, make=True)
    own_keys(load_config(args))  # so that `server run` starts at once
    if not args.json:
        say(Message("Generating ..."), aside=True)
    with write(engine) as connection:
        made = simulate_province(
            connection,
            seed=args.seed,
            code=args.code,
            instrument=args.instrument,
            last=args.last,
            quarters=args.quarters,
            sheets_a_quarter=args.sheets,
            communes=args.communes,
            tiers=args.tiers,
            vivid=True,
        )
        evidence, months = None, Period("", month_of_day(made.first_day), month_of_day(made.last_day))
        if not args.no_boxes:
            evidence = simulate_evidence(connection, made.province_id, months, seed=args.seed, rho=args.rho, vivid=True)
        _weight(connection, made.province_id, args.instrument, months)
        administrator = f"admin.{made.code}"
        password = make_user(connection, made.province_id, administrator, Role.ADMINISTRATOR)
    engine.dispose()
    if args.json:
        simulated = {"simulated": True, "boxes": evidence.boxes if evidence else 0}
        account = {"administrator": administrator, "password": password}
        print(json.dumps({**dataclasses.asdict(made), **simulated, **account}))
        return 0
    say(
        Message(
            "Province '{code}' (simulated): {agencies} agencies, {transactions} transactions and {ratings} ratings "
            "from {first} to {last}, {aside} of them set aside.",
            code=made.code,
            agencies=Number(made.agencies),
            transactions=Number(made.transactions),
            ratings=Number(made.ratings),
            first=Day(day_date(made.first_day)),
            last=Day(day_date(made.last_day)),
            aside=Number(made.set_aside),
        )
    )
    if evidence is not None:
        say(
            Message(
                "{boxes} simulated boxes sent {tables} tables (correlation {rho}).",
                boxes=evidence.boxes,
                tables=Number(evidence.releases),
                rho=Number(evidence.rho, 2),
            )
        )
    say(Message("Administrator: {name}", name=administrator))
    say(Message("One-time password: {password}   {once}", password=password, once=ONCE))
    where = "".join(
        f" --{name} {value}" for name, value in (("data-dir", args.data_dir), ("store", args.store)) if value
    )
    say(
        Message(
            "Next: {command}   (or --demo: pages without log-in)",
            command=f"hailong server run{where} --insecure-cookies",
        )
    )
    return 0
