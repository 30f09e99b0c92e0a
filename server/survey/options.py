"""Arguments that the survey's commands share."""

from __future__ import annotations

import argparse
import os


def add_store(parser: argparse.ArgumentParser, *, province: bool = True) -> None:
    """`--url` of the store (or HAILONG_STORE), and `--province` where a command works on one."""
    parser.add_argument(
        "--url",
        default=os.environ.get("HAILONG_STORE", "sqlite:///hailong.sqlite"),
        help="the store: sqlite:///FILE or postgresql://USER@HOST/NAME (HAILONG_STORE, else sqlite:///hailong.sqlite)",
    )
    if province:
        parser.add_argument("--province", help="code of the province; needed where the store has several")
