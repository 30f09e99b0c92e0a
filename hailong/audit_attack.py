"""Attack the real release code, and say how much of epsilon the attacks can show.

Canary visits are put in or left out by coin; an attacker who knows everything else guesses (Steinke et al. 2023). The
lower bound on epsilon stands beside the claim. The same attack is run on a mutant with half the noise, to see that it
would have been caught; and a differencing attack tries to have a period released twice: by restarts, a clock set back,
an old disk, a disk enrolled anew. And made-up days are played to the real engine, by presence, by queue, and under the
basis of consent by touch and by queue, with one visit removed, changed, opted out, agreed or not: no other visit's cell
may move.

Example:
  hailong audit attack --pulse-epsilon-milli 500 --evidence-epsilon-milli 1500
"""

from __future__ import annotations

import argparse

from pydantic import ValidationError

from pipeline.audit.attack import audit_attack
from pipeline.audit.verdict import report
from pipeline.errors import ConfigError
from pipeline.language import Message
from pipeline.language.console import say
from pipeline.privacy.policy import PrivacyPolicy


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `hailong audit attack`."""
    add = parser.add_argument
    add(
        "--pulse-epsilon-milli",
        type=int,
        default=500,
        help="epsilon of a pulse in thousandths (default 500; 0: no pulse)",
    )
    add(
        "--evidence-epsilon-milli",
        type=int,
        default=1_500,
        help="epsilon of the evidence in thousandths (default 1500)",
    )
    add("--canaries", type=int, default=1_800, help="canary visits (default 1800; more make the bound tighter)")
    add("--days", type=int, default=100, help="days played to the engine, of each of four kinds (default 100 each)")
    add("--json", action="store_true", help="one JSON object")


def run(args: argparse.Namespace) -> int:
    """Entry point."""
    try:
        policy = PrivacyPolicy(
            pulse_epsilon_milli=args.pulse_epsilon_milli,
            evidence_epsilon_milli=args.evidence_epsilon_milli,
            budget_epsilon_milli=args.pulse_epsilon_milli + args.evidence_epsilon_milli,
            clerks_per_box=2,
        )
    except ValidationError:
        raise ConfigError(
            Message("An epsilon lies outside of 1..20000 thousandths."), Message("See hailong audit attack --help.")
        ) from None
    if not 180 <= args.canaries <= 1_000_000:
        raise ConfigError(Message("Between 180 and 1000000 canaries, please."), Message("1800 take some seconds."))
    if not 0 <= args.days <= 100_000:
        raise ConfigError(
            Message("Between 0 and 100000 days, please."), Message("100 take some seconds; 0 leaves the engine out.")
        )
    if not args.json:
        say(Message("attacking ..."), aside=True)
    verdict = audit_attack(policy, args.canaries)
    if args.days:
        from edge.audit.sensitivity import add_sensitivity

        add_sensitivity(verdict, args.days)
    return report(verdict, args.json)
