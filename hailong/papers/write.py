"""`hailong audit report --form NAME`: gather the facts, write the paper as DOCX and PDF."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
from datetime import datetime
from typing import Any


def write_paper(args: argparse.Namespace) -> int:
    """Write one paper. Exit code 0 unless an audit in it, or the store, is found not to hold; `holds` of the JSON says
    yes only where every audit that there is was given, and nothing (null) where some are missing."""
    from hailong.audit_report import read_result
    from hailong.papers.checks import AUDITS, AuditFact
    from hailong.papers.facts import audit_fact, config_fact, gather_facts
    from hailong.papers.forms import make_paper
    from models.catalogue import Card
    from pipeline.audit.schema import audit_schema
    from pipeline.calendar import INDOCHINA
    from server.core.config import load_config, open_store
    from server.core.provinces import find_province
    from server.documents.docx import report_docx
    from server.documents.pdf import report_pdf
    from server.store.engine import read

    configs = [config_fact(path) for path in args.config]
    cards: dict[str, Card] = {card.name: card for one in configs for card in _cards(one.config)}
    audits: dict[str, AuditFact] = {}
    for one in configs[:1]:
        policy = one.config.privacy
        epsilons = policy.pulse_epsilon_milli / 1_000, policy.evidence_epsilon_milli / 1_000
        audits["schema"] = audit_fact(audit_schema(*epsilons).as_dict())
    for path in args.result:
        found = audit_fact(read_result(path), path.read_bytes())
        if found.name not in audits or audits[found.name].holds:  # of several, one that does not hold stands
            audits[found.name] = found
    engine = open_store(load_config(args))
    with read(engine) as connection:
        province = find_province(connection, args.province)
        facts = gather_facts(
            connection,
            province.province_id,
            datetime.now(INDOCHINA).date(),
            importlib.metadata.version("hailong"),
            configs,
            tuple(cards.values()),
            tuple(audits.values()),
            args.incident,
        )
    engine.dispose()
    paper = make_paper(args.form, facts, args.lang)
    args.out.mkdir(parents=True, exist_ok=True)
    files = []
    for suffix, content in ((".docx", report_docx(paper)), (".pdf", report_pdf(paper))):
        path = args.out / f"{args.form}-{province.code}{suffix}"
        path.write_bytes(content)
        files.append(str(path))
    verdicts = {audit.name: audit.holds for audit in facts.audits}
    missing = [name for name in AUDITS if name not in verdicts]
    refuted = not all(verdicts.values()) or bool(facts.findings)
    if args.json:
        holds = False if refuted else None if missing else True
        said = {"holds": holds, "files": files, "audits": verdicts, "missing": missing}
        print(json.dumps(said, ensure_ascii=False))
    else:
        print("\n".join(files))
    return 1 if refuted else 0


def _cards(config: Any) -> list[Any]:
    from edge.perception.analysis import network_options
    from edge.perception.networks import needed_models
    from models.catalogue import card

    return [card(name) for name in needed_models(network_options(config))]
