"""The impact assessment: filled from configuration, cards and results, in both languages, as HTML and PDF."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import date
from pathlib import Path

import pytest

from edge.config import EdgeConfig, load_config, parse_config
from hailong.audit_report import read_result
from hailong.audit_report_blocks import as_html, as_pdf
from hailong.audit_report_text import Assessment, write
from hailong.cli import main
from models.catalogue import all_cards
from pipeline.audit.figures import FIGURES
from pipeline.audit.verdict import Verdict
from pipeline.errors import ConfigError
from pipeline.keys import new_keys, save_keys
from pipeline.language import Message
from server.store.engine import connect, store_url
from server.store.upgrade import upgrade
from tests.privacy.bench import Bench

DAY_S = 86_400.0


@pytest.fixture
def config_path(tmp_path: Path) -> Path:
    """A box that has run for three days."""
    home = tmp_path / "box"
    home.mkdir()
    bench = Bench(home)
    bench.keys = new_keys("box")
    bench.curator.close()
    for path in home.iterdir():
        path.unlink()
    save_keys(bench.keys, home / "keys")
    bench.start()
    for _ in range(3):
        bench.count(4)
        bench.pass_time(DAY_S)
    bench.curator.close()
    path = tmp_path / "edge.toml"
    path.write_text(
        f"""
[box]
data_dir = "box"
agency_label = "Sở <Tư pháp> & Nội vụ"
clerks_meet = true
[camera]
source = "rtsp://admin:matkhau@10.0.0.9/stream"
region = [[0.0, 0.0], [0.6, 0.0], [0.6, 1.0], [0.0, 1.0]]
[notice]
contact = "Văn phòng, tầng 1"
[legal]
basis = "consent"

[privacy]
clerks_per_box = 3
[server]
address = "tcp://127.0.0.1:5570"
public_key = "{new_keys("server").curve_public_z85}"
""",
        encoding="utf-8",
    )
    return path


def test_four_documents(config_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    retention = tmp_path / "retention.json"
    retention.write_text(json.dumps({"holds": True, "provinces": {"x": {"findings": []}}}))
    out = tmp_path / "out"
    words = ["audit", "report", "--config", str(config_path), "--quick", "--result", str(retention), "--out", str(out)]
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["audits"] == dict.fromkeys(["schema", "log", "budget", "attack", "retention"], True)
    for language, title in (("vi", "Đánh giá tác động"), ("en", "Data protection impact assessment")):
        page = (out / f"dpia.{language}.html").read_text(encoding="utf-8")
        assert f'<html lang="{language}">' in page
        assert title in page
        assert "Sở &lt;Tư pháp&gt; &amp; Nội vụ" in page
        assert "matkhau" not in page
        assert not re.search(r"(?:src|href)=", page)  # stands alone
        pdf = out / f"dpia.{language}.pdf"
        assert pdf.read_bytes().startswith(b"%PDF")
        text = subprocess.run(["pdftotext", str(pdf), "-"], capture_output=True, text=True, check=True).stdout
        assert title in text.replace("\n", " ")
        assert ("0,535" if language == "vi" else "0.535") in text
        assert "matkhau" not in text
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert [result["audit"] for result in results] == ["schema", "log", "budget", "attack", "retention"]


def attacked(folder: Path) -> list[str]:
    """The result of an attack that was run elsewhere: so none is run here."""
    path = folder / "attack.json"
    facts = {"attacks": ["a canary"]}
    path.write_text(json.dumps({"audit": "attack", "holds": True, "problems": [], "facts": facts}))
    return ["--result", str(path)]


def test_a_store_without_a_province_passes_no_audit(
    config_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = f"sqlite:///{tmp_path / 'empty.sqlite'}"
    engine = connect(store_url(store))
    upgrade(engine)
    engine.dispose()
    assert main(["audit", "retention", "--store", store]) == 1
    assert "Nothing was checked" in capsys.readouterr().out
    assert main(["audit", "retention", "--store", store, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["holds"], told["provinces"], len(told["problems"])) == (False, {}, 1)
    retention = tmp_path / "retention.json"
    retention.write_text(json.dumps({"holds": True, "provinces": {}}))  # as earlier versions said of such a store
    words = ["audit", "report", "--config", str(config_path), "--quick", "--result", str(retention)]
    words += attacked(tmp_path)
    assert main([*words, "--out", str(tmp_path / "out"), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["audits"]["retention"] is False


def test_an_audit_that_fails_is_told_at_the_top(config_path: Path, tmp_path: Path) -> None:
    bad = tmp_path / "memory.json"
    bad.write_text(json.dumps({"audit": "memory", "holds": False, "problems": ["a face is still there"], "facts": {}}))
    words = [
        "audit",
        "report",
        "--config",
        str(config_path),
        "--quick",
        "--result",
        str(bad),
        *attacked(tmp_path),
        "--out",
        str(tmp_path / "out"),
    ]
    assert main(words) == 1
    page = (tmp_path / "out" / "dpia.vi.html").read_text(encoding="utf-8")
    assert "Không xác nhận: memory" in page
    assert "a face is still there" in page
    assert "attack (attack.json): ĐÚNG" in page, "what was not run here is named by its file"


def assessment(config: EdgeConfig, *results: dict[str, object]) -> Assessment:
    return Assessment(
        config,
        "edge.toml",
        tuple(all_cards().values()),
        results,
        (("edge.toml", "0" * 64),),
        "0.1.0",
        date(2026, 8, 31),
    )


def test_the_next_review_is_within_a_year(config_path: Path) -> None:
    config = load_config(config_path)
    assert assessment(config).next_review == date(2027, 8, 28)


def test_what_is_missing_is_said(config_path: Path) -> None:
    document = write(assessment(load_config(config_path)), "en")
    said = next(
        block.text for block in document.blocks if block.text.startswith("Audits that this document does not contain")
    )
    for name in ("schema", "wire", "budget", "log", "attack", "trace", "memory", "retention"):
        assert name in said
    assert as_pdf(document).startswith(b"%PDF")
    assert "polygon of 4 corners" in as_html(document)


def test_every_figure_of_the_audits_has_a_name() -> None:
    """Names of figures are read from the audits' own code."""
    root = Path(__file__).parents[2]
    sources = [*root.glob("pipeline/audit/*.py"), root / "edge/audit/memory.py", root / "edge/audit/trace.py"]
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    blocks = re.findall(r"facts \|?= \{(.*?)\n    +\}", code, re.DOTALL)
    names = {name for block in blocks for name in re.findall(r'^\s+"(\w+)":', block, re.MULTILINE)}
    assert len(names) > 40
    assert names <= set(FIGURES)


def test_a_result_from_elsewhere_is_read_in_the_papers_language(config_path: Path) -> None:
    """A problem with a figure in it crosses a file of JSON, and reads in Vietnamese all the same; what an earlier
    version wrote has its English alone."""
    problem = Message("with one touch: {visits} visits", visits=2)
    new = Verdict("trace", Message("{name}: a table that is none of this program's", name="x"), [problem]).as_dict()
    old = {"audit": "wire", "holds": False, "problems": [str(Message("and more of the same"))]}
    other = json.loads(json.dumps(new))
    vi, en = (as_html(write(assessment(load_config(config_path), other, old), lang)) for lang in ("vi", "en"))
    assert "with one touch: 2 visits" in en
    assert "with one touch" not in vi
    assert problem.in_language("vi") in vi
    assert Message("and more of the same").in_language("vi") in vi
    assert "problems_vi" not in vi + en


@pytest.mark.parametrize(
    "text",
    [
        '{"audit": "attack", "holds": "false"}', '{"audit": "attack", "holds": 1}',
        '{"audit": "attack", "holds": null}',
        '{"audit": "memory", "holds": true, "problems": ["a face is still there"]}',
        '{"audit": "attack", "holds": true, "facts": [1]}', '{"audit": "attack", "holds": true, "facts": null}',
        '{"audit": "attack", "holds": true, "facts": {"epsilon": NaN}}', '{"audit": 5, "holds": true}', "[]", "true",
        '{"audit": "attack", "holds": true, "problems": "abc"}', "[" * 50_000, '{"facts": {}}', "\x00",
    ],
)  # fmt: skip
def test_what_is_no_result_of_an_audit_is_refused_in_words(tmp_path: Path, text: str) -> None:
    """ "false" was taken as true, and the paper said HOLDS."""
    path = tmp_path / "attack.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="not the JSON of an audit"):
        read_result(path)


@pytest.mark.parametrize(
    "text",
    [
        '#read("/etc/passwd") #import "@preview/x:1.0.0" $x$ `raw` *b* @l <l> // \\', "</td><script>alert(1)</script>",
        "\u202eabc\u2066", "a\x00b\x08", "{{7*7}} {% x %} %s {0} {name}", "=1+1", "&amp;&xxe;",
    ],
)  # fmt: skip
def test_no_text_of_the_configuration_or_a_result_is_run(tmp_path: Path, text: str) -> None:
    config = parse_config(
        {
            "box": {"data_dir": str(tmp_path), "agency_label": text, "clerks_meet": True},
            "camera": {"source": "rtsp://a:b@10.0.0.9/s", "region": [[0.0, 0.0], [0.6, 0.0], [0.6, 1.0]]},
            "notice": {"contact": text},
            "legal": {"basis": "consent"},
            "privacy": {"clerks_per_box": 3},
            "server": {"address": "tcp://127.0.0.1:5570", "public_key": new_keys("server").curve_public_z85},
        },
        "",
        tmp_path / "edge.toml",
    )
    result = {"audit": "attack", "holds": False, "problems": [text], "cannot_check": [text], "facts": {text: text}}
    document = write(assessment(config, {**result, "date": text, "given": text}), "vi")
    page = as_html(document)
    assert "<script" not in page
    assert "root:" not in page
    assert as_pdf(document).startswith(b"%PDF")
