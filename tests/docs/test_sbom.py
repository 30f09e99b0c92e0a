"""The bill of materials names every package of every lock file, the same bytes each time; the audit says what it did
not check."""

from __future__ import annotations

import http.server
import importlib.util
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "requirements" / "sbom.py"


@pytest.fixture(scope="module")
def sbom() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sbom", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["sbom"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "requirements").glob("*.lock")))
def test_every_pinned_package_is_in_the_bill(sbom: ModuleType, name: str) -> None:
    text = (ROOT / "requirements" / name).read_text("utf-8")
    found = sbom.bill(sbom.read_lock(text), "hailong", "0")["components"]
    named = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;]+)", text, re.M)
    assert sorted((one["name"], one["version"]) for one in found) == sorted(named)
    assert sum(len(one["hashes"]) for one in found) == text.count("--hash=sha256:")
    references = [one["bom-ref"] for one in found]
    assert len(set(references)) == len(references)


def test_the_command_gives_the_same_bytes(sbom: ModuleType) -> None:
    runs = [
        subprocess.run(
            [sys.executable, str(SCRIPT), str(ROOT / "requirements" / "edge.lock")], capture_output=True, check=True
        )
        for _ in range(2)
    ]
    assert runs[0].stdout == runs[1].stdout
    found = json.loads(runs[0].stdout)
    assert (found["bomFormat"], found["specVersion"], found["version"]) == ("CycloneDX", "1.6", 1)
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", found["serialNumber"])
    other = sbom.bill(sbom.read_lock("a==1 \\\n    --hash=sha256:" + "0" * 64), "x", "1")
    assert other["serialNumber"] != found["serialNumber"]


@pytest.mark.parametrize("line", ["a==1", "a>=1 --hash=sha256:" + "0" * 64, "-e .", "https://x/y.whl"])
def test_what_is_not_pinned_and_hashed_is_refused(sbom: ModuleType, line: str) -> None:
    with pytest.raises(sbom.LockError):
        sbom.read_lock(line)


@pytest.fixture
def index() -> Iterator[str]:
    """A package index: it knows something of `bad`, nothing of `good`, once knew of `mended`, and has no other."""
    known = {"good": [], "bad": [{"id": "PYSEC-1"}], "mended": [{"id": "PYSEC-2", "withdrawn": "2026-01-01"}]}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.split("/")[2]
            self.send_response(200 if name in known else 404)
            self.end_headers()
            if name in known:
                self.wfile.write(json.dumps({"vulnerabilities": known[name]}).encode())

        def log_message(self, *args: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("names", "code", "said"),
    [
        (["good", "mended"], 0, "No known vulnerability in 2"),
        (["good", "bad"], 1, "bad 1: PYSEC-1"),
        (["good", "unknown"], 2, "Not checked: the index says nothing of unknown"),
        (["u1", "u2", "u3", "u4"], 2, "Not checked"),
    ],
)
def test_the_audit_never_takes_silence_for_health(
    sbom: ModuleType, index: str, names: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sbom.audit([sbom.Package(name, "1", "", ()) for name in names], index) == code
    assert said in capsys.readouterr().out
