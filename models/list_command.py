"""Show every model's card: source, licence, data, use, limits; and whether its files are here and unaltered.

hailong models list                 one line for each model
hailong models list --card NAME     one card in full
hailong models list --json          all cards, for machines
"""

from __future__ import annotations

import argparse
import json
import textwrap

from models.catalogue import Card, all_cards, card, model_files
from pipeline.errors import ModelError


def state(entry: Card) -> str:
    """`ready`, or what is wrong with the model's files on this machine."""
    try:
        model_files(entry.name)
    except ModelError as error:
        return error.message
    return "ready"


def in_full(entry: Card) -> str:
    """A card as text."""
    lines = [f"{entry.name}: {entry.title}", f"  called        {entry.called}"]
    lines += [f"  task          {entry.task}", f"  state         {state(entry)}"]
    if entry.version:
        lines.append(f"  version       {entry.version}")
    lines.append(f"  licence       {entry.licence}")
    if entry.restriction:
        lines.append(f'  restricted    to be accepted by name: licences = ["{entry.restriction}"]')
    rows = [("", str(entry.licence_note or "")), ("source", entry.source)]
    rows += [("data", f"{data.name} ({data.terms})") for data in entry.data]
    rows += [("input", entry.input), ("output", entry.output), ("intended use", entry.intended_use)]
    rows += [("limit", limit) for limit in entry.limits]
    rows += [("not for", use) for use in entry.not_for]
    for metric in entry.metrics:
        interval = "" if metric.low is None or metric.high is None else f" [{metric.low:g}, {metric.high:g}]"
        rows.append(("measured", f"{metric.name} {metric.value:g}{interval}" + (f", {metric.on}" if metric.on else "")))
    rows += [("note", note) for note in entry.notes]
    rows += [("file", f"{file.name}, {file.bytes:,} bytes, sha256 {file.sha256}") for file in entry.files]
    for label, text in rows:
        if text:
            lines += textwrap.wrap(f"  {label:<14}{text}", 120, subsequent_indent=" " * 16, break_on_hyphens=False)
    return "\n".join(lines)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--card", metavar="NAME", help="show one card in full")
    parser.add_argument("--json", action="store_true", help="print the cards as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the cards."""
    chosen = [card(args.card)] if args.card else list(all_cards().values())
    if args.json:
        print(json.dumps([entry.model_dump() | {"state": state(entry)} for entry in chosen], ensure_ascii=False))
    elif args.card:
        print(in_full(chosen[0]))
    else:
        for entry in chosen:
            licence = f"restricted: {entry.restriction}" if entry.restriction else entry.licence
            print(f"{entry.name:<20} {entry.task:<28} {licence:<44} {state(entry)}")
    return 0
