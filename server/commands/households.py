"""A sample of households in three stages (communes, villages, households), and what came back of it. No store.

    hailong server households thon.csv --communes 12 --villages 3 --households 12 --replacements 6 --seed 2026
    hailong server households thon.csv --communes 12 --villages 3 --households 12 --replacements 6 --seed 2026 \\
        --contacts lien-he.csv

The frame is a CSV of commune, village, households. The draw follows from the seed alone: the same call with --contacts
(commune, village, household, calls, result, satisfied) tells who is called again, which replacement steps in, the
response, and the share satisfied with its interval. Numbers of households, no names, are all that is read or written.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from pipeline.language import of_environment, translator


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("frame", type=Path, help="CSV of commune, village, households")
    parser.add_argument("--communes", type=int, required=True, help="communes drawn")
    parser.add_argument("--villages", type=int, required=True, help="villages drawn in each commune")
    parser.add_argument("--households", type=int, required=True, help="households drawn in each village")
    parser.add_argument("--replacements", type=int, default=0, help="further households of each village, in order (0)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the draw (1)")
    parser.add_argument("--contacts", type=Path, metavar="CSV", help="what came back of the same draw")


def run(args: argparse.Namespace) -> int:
    """Draw, or tell where the draw stands."""
    from calibration.households import HouseholdSettings, draw_households
    from server.sampling.households import draw_text, read_contacts, read_frame, state_text

    settings = HouseholdSettings(args.communes, args.villages, args.households, args.replacements, args.seed)
    drawn = draw_households(read_frame(args.frame), settings)
    _ = translator(of_environment(os.environ))
    if args.contacts is None:
        print(draw_text(drawn, _))
    else:
        print(state_text(*read_contacts(args.contacts, drawn), _))
    return 0
