"""The SIPAS index (official) of a period: per criterion, factor and overall, by agency, level, field, service,
channel and month, with valid answers, response rate, intervals, design effect, weights and mode effects.

    hailong server score --period 2026-Q3 --instrument 2640
    hailong server score --period 2026 --instrument 2640 --json > index.json
    hailong server score --nation --period 2026 --out nation --workers 2

The plain index is 100 x (satisfied + very satisfied) / valid answers and can be recomputed by hand from
`hailong server export ratings`. Suspicious ratings that were set aside do not count; they are listed with the reason.
"""

from __future__ import annotations

import argparse
import json
import os
from typing import TYPE_CHECKING

from pipeline.language import Message, of_environment

if TYPE_CHECKING:
    from server.documents.writer import Writer
    from server.scores.figures import Figure, Place
    from server.scores.fused import AgencyScore
from server.scores.index import IndexResult


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    from server.commands.nation_run import add_arguments as add_nation_arguments
    from server.commands.options import add_store

    add_store(parser)
    parser.add_argument("--period", required=True, help="2026, 2026-Q3, 2026-07 or 2026-01..2026-07")
    parser.add_argument("--instrument", default="2640", help="code of the instrument (2640)")
    parser.add_argument("--version", type=int, help="version of the instrument (the newest)")
    parser.add_argument(
        "--by", default="agency", help=Message("what the table shows: {names} (agency)", names=", ".join(_DIMENSIONS))
    )
    parser.add_argument(
        "--item", default="index", help="index, overall, a factor (C) or a criterion (C1); for the table"
    )
    parser.add_argument(
        "--suppress-below", type=int, help="hide figures of fewer valid answers (the province's setting)"
    )
    parser.add_argument("--no-fused", action="store_true", help="without the estimate fused with the implicit signal")
    add_nation_arguments(parser)
    parser.add_argument("--json", action="store_true", help="everything, as JSON")


_DIMENSIONS = ("province", "agency", "level", "field", "service_group", "service", "channel", "month")


def run(args: argparse.Namespace) -> int:
    """Compute and print the index, or with `--nation` write all provinces' figures."""
    if args.nation:
        from server.commands.nation_run import run_nation

        return run_nation(args)
    from pipeline.calendar import parse_period
    from pipeline.errors import InvalidError
    from pipeline.instruments import load_instrument
    from server.commands.options import open_engine, province_id
    from server.scores.fused import agency_scores
    from server.scores.index import compute_index
    from server.store.engine import read

    if args.by not in _DIMENSIONS:
        raise InvalidError(
            Message("There is no dimension '{by}'.", by=args.by),
            Message("Write one of {dimensions}.", dimensions=", ".join(_DIMENSIONS)),
        )
    period = parse_period(args.period)
    engine = open_engine(args)
    instrument = load_instrument(args.instrument, args.version)
    with read(engine) as connection:
        province = province_id(connection, args)
        result = compute_index(
            connection,
            province,
            instrument,
            period,
            suppress_below=args.suppress_below,
            dimensions=_DIMENSIONS if args.json else ("province", args.by),
        )
    fused = [] if args.no_fused else agency_scores(engine, province, period)
    engine.dispose()
    if args.json:
        values = {**result.to_dict(), "fused": [score.to_dict() for score in fused]}
        print(json.dumps(values, ensure_ascii=False, allow_nan=False))
        return 0
    print(_table(result, args.by, args.item))
    if fused and args.by == "agency":
        print(_fused_table(fused))
    return 0


def _fused_table(scores: list[AgencyScore]) -> str:
    from server.documents.writer import Writer

    _ = Writer(of_environment(os.environ))
    heads = (_("Overall satisfaction: from sheets, and combined"), _("From sheets"), _("Combined estimate"))
    lines = ["", "{:<50}{:>18}{:>24}".format(*heads)]
    for one in scores:
        plain, fused = (
            "–" if value is None else f"{_.number(value)} ({_.number(low)} – {_.number(high)})"
            for value, low, high in (
                (one.index_explicit, one.explicit_low, one.explicit_high),
                (one.index_fused, one.fused_low, one.fused_high),
            )
        )
        lines.append(f"{_(one.name)[:43]:<44}{plain:>24}{fused:>24}  {_(one.verdict_words)}")
    return "\n".join(lines)


def _table(result: IndexResult, dimension: str, item: str) -> str:
    from pipeline.errors import InvalidError
    from server.documents.writer import Writer

    _ = Writer(of_environment(os.environ))
    name = _(result.province_name)
    head = f"{name} - {result.period} - {result.instrument} v{result.instrument_version} - {item}"
    lines = [head + (f" - {_('SIMULATED')}" if result.simulated else ""), ""]
    columns = (
        (_("Sheets"), 9),
        (_("valid"), 8),
        (_("rate"), 8),
        (_("index"), 8),
        ("95 %", 15),
        ("deff", 7),
        (_("weighted"), 9),
        (_("by channel"), 11),
    )
    lines.append(f"{'':<44}" + "".join(f"{name:>{width}}" for name, width in columns))
    places = result.of("province") + (result.of(dimension) if dimension != "province" else [])
    for place in places:
        if item not in {figure.item for figure in place.figures}:
            raise InvalidError(
                Message("There is no figure '{item}'.", item=item),
                Message("Write index, overall, a factor or a criterion."),
            )
        lines.append(_line(place, place.figure(item), _, _(result.why_hidden(place.dimension))))
    aside = sum(one.sheets for one in result.set_aside)
    lines += ["", f"{_('Sheets set aside')}: {aside}", *(_(note) for note in result.notes)]
    return "\n".join(lines)


def _line(place: Place, figure: Figure, _: Writer, why_hidden: str) -> str:
    name = f"{_(place.name)[:43]:<44}{_.number(place.sheets, 0):>9}"
    rate = "–" if place.response_rate is None else f"{_.number(100 * place.response_rate)} %"
    if figure.index is None:
        reason = why_hidden if figure.suppressed else "–"
        return f"{name}{'':>8}{rate:>8}   {reason}"
    span = f"{_.number(figure.low)} – {_.number(figure.high)}"
    return (
        f"{name}{_.number(figure.valid, 0):>8}{rate:>8}{_.number(figure.index):>8}{span:>15}"
        f"{_.number(figure.design_effect, 2):>7}{_.number(figure.weighted):>9}{_.number(figure.adjusted):>11}"
    )
