"""Show that the schema of what leaves a box is closed, and how many bits about one visit a release can carry at most,
and why.

Example:
  hailong audit schema --pulse-epsilon 0.5 --evidence-epsilon 1.5
"""

from __future__ import annotations

import argparse

from pipeline.audit.schema import audit_schema
from pipeline.audit.verdict import report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `hailong audit schema`."""
    parser.add_argument(
        "--pulse-epsilon", type=float, default=0.5, help="epsilon of a pulse (default 0.5; 0: no pulse)"
    )
    parser.add_argument("--evidence-epsilon", type=float, default=1.5, help="epsilon of the evidence (default 1.5)")
    parser.add_argument("--json", action="store_true", help="one JSON object")


def run(args: argparse.Namespace) -> int:
    """Entry point."""
    return report(audit_schema(args.pulse_epsilon, args.evidence_epsilon), args.json)
