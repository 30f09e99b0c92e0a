"""Write the impact assessment in Vietnamese and English, as HTML and PDF, from the configuration, the cards and the
audits' own results; or, with --form, a paper that the law asks for.

Audits that need a minute (trace, memory) are run unless --quick is given. Results of others, such as `hailong audit
retention --json` from the server, are taken in with --result; an audit whose result is given is not run here. Exit code
0 only if every audit in the document holds.

With --form one of the papers that the law asks for is written instead, for a province, as DOCX and PDF in the frame of
an administrative document, filled from the server's store, boxes' configurations and the audits' results. What the
program cannot know is blank, with the role that fills it in. We are not lawyers. With --json `holds` is null while
results of audits are missing: a paper without them is a draft that claims nothing of them.

The papers:
  dpia10             Impact assessment of the processing of personal data (form Mẫu 10)
  ai-classification  Classification of an artificial intelligence system
  ai02               Impact assessment of an artificial intelligence system (form AI02)
  ai01a              Report of a serious incident of an artificial intelligence system (form AI01a)
  breach08           Notification of a breach of the protection of personal data (form Mẫu 08)
  system-card        System card and model cards
  yearly             Yearly evaluation of compliance with the rules on personal data
  iso27559           De-identification by the framework of ISO/IEC 27559:2022

Examples:
  hailong audit report --config /etc/hailong/edge.toml --result retention.json --out report
      one box's impact assessment, with the server's audit of retention taken in
  hailong audit report --form dpia10 --config box1.toml --config box2.toml --result attack.json --out papers
      a province's, on the form that the law asks for
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
from collections.abc import Callable, Container
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.audit.verdict import Verdict
from pipeline.errors import ConfigError
from pipeline.language import NOTHING, Message
from pipeline.language.console import console_translator, say

_CLAIMS = {
    "retention": Message("The server's store holds nothing finer or older than the policy."),
}
"""Claims of audits whose JSON does not state them."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    from hailong.papers.names import NAMES
    from pipeline.language import languages
    from server.core.config import add_province_argument, add_store_arguments

    add = parser.add_argument
    add(
        "--config",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="the box's edge.toml; with --form of any number of boxes",
    )
    add("--form", choices=NAMES, help="write this paper for a province, from the server's store")
    add("--incident", type=int, help="number in the rights desk's register, for the forms breach08 and ai01a")
    add("--lang", default="vi", choices=languages(), help="language of the paper (vi)")
    add_store_arguments(parser)
    add_province_argument(parser)
    add("--out", type=Path, default=Path("report"), metavar="DIR", help="folder for the four documents (report)")
    add(
        "--heads",
        type=Path,
        action="append",
        default=[],
        help="tree heads that the server kept, for the audit of the log",
    )
    add("--box", type=int, help="the box's number in the server's store, where --heads is that store")
    add("--result", type=Path, action="append", default=[], metavar="FILE", help="JSON of an audit run elsewhere")
    add("--quick", action="store_true", help="leave out trace and memory, which take a minute each")
    add("--json", action="store_true", help="print the files' names and the verdicts as one JSON object")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from edge.config import load_config
    from hailong.audit_report_blocks import as_html, as_pdf
    from hailong.audit_report_text import Assessment, write
    from pipeline.calendar import INDOCHINA

    if args.form:
        from hailong.papers.write import write_paper

        return write_paper(args)
    if len(args.config) != 1:
        raise ConfigError(
            Message("This document is about one box."), Message("Name its configuration with --config, or a --form.")
        )
    (config_path,) = args.config
    config = load_config(config_path)
    given = [read_result(path) for path in args.result]
    results = [*_own_results(config, args, {result["audit"] for result in given}), *given]
    args.out.mkdir(parents=True, exist_ok=True)
    raw = args.out / "results.json"
    raw.write_text(json.dumps(results, ensure_ascii=False, indent=1), encoding="utf-8")
    assessment = Assessment(
        config,
        config_path.name,
        tuple(_cards(config)),
        tuple(results),
        tuple(_hashes(config, config_path, raw)),
        importlib.metadata.version("hailong"),
        datetime.now(INDOCHINA).date(),
    )
    files = []
    for language in ("vi", "en"):
        document = write(assessment, language)
        page, pdf = args.out / f"dpia.{language}.html", args.out / f"dpia.{language}.pdf"
        page.write_text(as_html(document), encoding="utf-8")
        pdf.write_bytes(as_pdf(document))
        files += [str(page), str(pdf)]
    holds = all(result["holds"] for result in results)
    verdicts = {name: all(one["holds"] for one in results if one["audit"] == name) for name in _names(results)}
    if args.json:
        print(json.dumps({"holds": holds, "files": files, "audits": verdicts}, ensure_ascii=False))
    else:
        _ = console_translator()
        for name, held in verdicts.items():
            print(f"{name:<12} {_('HOLDS') if held else _('DOES NOT HOLD')}")
        print("\n".join(files))
    return 0 if holds else 1


def _names(results: list[dict[str, Any]]) -> dict[str, None]:
    """Which audits, in their order; there may be a result of one from each of several boxes."""
    return dict.fromkeys(one["audit"] for one in results)


def _own_results(config: Any, args: argparse.Namespace, given: Container[str]) -> list[dict[str, Any]]:
    """The audits that can be run here and whose results are not given."""
    from edge.audit.memory import audit_memory
    from edge.audit.sensitivity import add_sensitivity
    from edge.audit.trace import audit_trace
    from pipeline.audit.attack import audit_attack
    from pipeline.audit.budget import audit_budget
    from pipeline.audit.log import audit_log
    from pipeline.audit.schema import audit_schema
    from pipeline.audit.wire_records import audit_wire
    from pipeline.errors import HailongError
    from pipeline.keys import load_public, public_key_bytes

    policy, data = config.privacy, config.box.data_dir
    store, outbox = data / "release.sqlite3", data / "outbox.sqlite3"
    sent = [path for path in (config.server.record, outbox) if path is not None and path.exists()]

    def log() -> Verdict:
        key = public_key_bytes(load_public(config.keys_dir / "public.keys")["signing_public"])
        return audit_log(store, args.heads, key, args.box)

    epsilons = policy.pulse_epsilon_milli / 1_000, policy.evidence_epsilon_milli / 1_000
    wanted: dict[str, Callable[[], Verdict]] = {"schema": lambda: audit_schema(*epsilons)}
    if sent:
        wanted["wire"] = lambda: audit_wire(sent, config.box.demo)
    if store.exists():
        wanted |= {"log": log, "budget": lambda: audit_budget(store, sent)}

    def attack() -> Verdict:
        verdict = audit_attack(policy)
        add_sensitivity(verdict, 20 if args.quick else 100)
        return verdict

    wanted["attack"] = attack
    if not args.quick:
        wanted |= {"trace": audit_trace, "memory": audit_memory}
    found = []
    for name, audit in wanted.items():
        if name in given:
            continue
        say(Message("audit {name} ...", name=name), aside=True)
        try:
            found.append(audit().as_dict())
        except HailongError as error:  # an audit that could not run is a finding, not the end of the report
            failed = Verdict(name, NOTHING, [Message("the audit could not run: {error}", error=error)])
            found.append(failed.as_dict())
    return found


def read_result(path: Path) -> dict[str, Any]:
    """An audit's JSON, and as `given` the file's name. Raises `ConfigError`."""
    try:
        result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number)
        if not _is_result(result):
            raise TypeError
        holds = result["holds"] and result.get("provinces") != {}  # of no province, nothing was checked
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise ConfigError(
            Message("{path} is not the JSON of an audit.", path=path),
            Message("Make it with hailong audit NAME --json."),
        ) from None
    if "audit" in result:
        return {**result, "given": path.name}
    date = datetime.fromtimestamp(path.stat().st_mtime).astimezone().date().isoformat()
    facts = {name: value for name, value in result.items() if name != "holds"}
    verdict = Verdict(path.stem, _CLAIMS.get(path.stem, NOTHING), facts=facts).as_dict()
    return {**verdict, "holds": holds, "date": date, "given": path.name}


def _is_result(result: Any) -> bool:
    """Whether a document is what an audit says: a claim that holds has no problems, and nothing but true is true."""
    if not isinstance(result, dict) or type(result["holds"]) is not bool:
        return False
    texts = [*result.get("problems", []), *result.get("cannot_check", [])]
    return (
        all(isinstance(result.get(name, ""), str) for name in ("audit", "date"))
        and all(isinstance(text, str) for text in texts)
        and isinstance(result.get("problems", []), list)
        and isinstance(result.get("facts", {}), dict)
        and not ("audit" in result and result["holds"] and result.get("problems"))
    )


def _no_number(text: str) -> float:
    raise ValueError(text)


def _cards(config: Any) -> list[Any]:
    from edge.perception.analysis import network_options
    from edge.perception.networks import needed_models
    from models.catalogue import card

    return [card(name) for name in needed_models(network_options(config))]


def _hashes(config: Any, config_path: Path, raw: Path) -> list[tuple[str, str]]:
    entries = [
        (config_path.name, _sha256(config_path)),
        (raw.name, _sha256(raw)),
        ("[privacy]", config.privacy.digest().hex()),
    ]
    for name in ("release.sqlite3", "keys/public.keys"):
        path = config.box.data_dir / name
        if path.exists():
            entries.append((name, _sha256(path)))
    entries += [(f"{card.name}/{file.name}", file.sha256) for card in _cards(config) for file in card.files]
    return entries


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
