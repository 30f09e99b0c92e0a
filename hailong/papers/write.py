"""`hailong audit report --form NAME`: gather the facts, write the paper as DOCX and PDF."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
from datetime import datetime
from typing import Any


def write_paper(args: argparse.Namespace) -> int:
    """Write one paper; exit code 0 only if every audit in it holds and the store holds nothing against the policy."""
    from hailong.audit_report import read_result
    from hailong.papers.facts import AuditFact, audit_fact, config_fact, gather_facts
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
    holds = all(audit.holds for audit in facts.audits) and not facts.findings
    if args.json:
        verdicts = {audit.name: audit.holds for audit in facts.audits}
        print(json.dumps({"holds": holds, "files": files, "audits": verdicts}, ensure_ascii=False))
    else:
        print("\n".join(files))
    return 0 if holds else 1


def _cards(config: Any) -> list[Any]:
    from edge.perception.analysis import network_options
    from edge.perception.networks import needed_models
    from models.catalogue import card

    return [card(name) for name in needed_models(network_options(config))]
