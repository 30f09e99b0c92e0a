"""Install, update, roll back and decommission a box from real bundles, built by pip from the lock file."""

from __future__ import annotations

import json
import re
import shutil
import tarfile
from pathlib import Path

import pytest

from edge.commands.uninstall import waiting
from edge.delivery.outbox import Outbox
from edge.deploy.bundle import open_bundle, write_bundle
from edge.deploy.releases import Layout
from hailong.cli import main
from pipeline import wire
from pipeline.errors import ConfigError, HailongError, KeyFileError
from pipeline.keys import KeyPair, new_keys, save_keys

ROOT = Path(__file__).parents[3]
SMALL = {"msgspec", "platformdirs", "typing-extensions"}
"""Enough to start the command; the whole lock file is installed by the soak test."""


def small_lock(folder: Path) -> Path:
    text = (ROOT / "requirements/edge.lock").read_text(encoding="utf-8")
    entries = re.findall(r"^[a-z0-9].*?(?=^[a-z0-9]|\Z)", text, re.MULTILINE | re.DOTALL)
    kept = [entry for entry in entries if entry.split("==")[0] in SMALL]
    assert len(kept) == len(SMALL)
    lock = folder / "small.lock"
    lock.write_text("".join(kept), encoding="utf-8")
    return lock


def edge_toml(folder: Path) -> Path:
    path = folder / "edge.toml"
    server = new_keys("server")
    path.write_text(
        f'[box]\ndata_dir = "{folder}/var/lib/hailong"\nagency_label = "Sở Tư pháp"\nclerks_meet = true\n'
        '[camera]\nsource = "none"\n'
        f'[server]\naddress = "tcp://127.0.0.1:5570"\npublic_key = "{server.curve_public_z85}"\n'
        "[privacy]\nclerks_per_box = 3\n",
        encoding="utf-8",
    )
    return path


def write_content(folder: Path, text: str = "content") -> Path:
    (folder / "wheels").mkdir(parents=True)
    (folder / "wheels/one.whl").write_text(text)
    return folder


@pytest.fixture
def keys() -> KeyPair:
    return new_keys("server")


def test_bundle_opens_only_whole_and_signed(tmp_path: Path, keys: KeyPair) -> None:
    content = write_content(tmp_path / "content")
    bundle = tmp_path / "b.tar"
    made = write_bundle(content, bundle, "1.0", "x86_64", keys)
    assert open_bundle(bundle, keys.signing_public, tmp_path / "good") == made
    with pytest.raises(KeyFileError, match="not signed by the trusted key"):
        open_bundle(bundle, new_keys("server").signing_public, tmp_path / "stranger")


@pytest.mark.parametrize("change", ["altered", "added", "removed", "manifest", "cut"])
def test_altered_bundles_are_refused(tmp_path: Path, keys: KeyPair, change: str) -> None:
    content = write_content(tmp_path / "content")
    bundle = tmp_path / "b.tar"
    write_bundle(content, bundle, "1.0", "x86_64", keys)
    if change == "altered":
        (content / "wheels/one.whl").write_text("other")
    elif change == "added":
        (content / "extra.sh").write_text("rm")
    elif change == "removed":
        (content / "wheels/one.whl").unlink()
    elif change == "manifest":
        text = (content / "manifest.json").read_text().replace("1.0", "9.9")
        (content / "manifest.json").write_text(text)
    with tarfile.open(bundle, "w") as archive:
        for path in sorted(content.rglob("*")):
            archive.add(path, str(path.relative_to(content)), recursive=False)
    if change == "cut":
        bundle.write_bytes(bundle.read_bytes()[:700])
    with pytest.raises((ConfigError, KeyFileError)):
        open_bundle(bundle, keys.signing_public, tmp_path / "out")


def test_bundle_cannot_write_outside_its_folder(tmp_path: Path, keys: KeyPair) -> None:
    bundle = tmp_path / "b.tar"
    (tmp_path / "evil").write_text("x")
    with tarfile.open(bundle, "w") as archive:
        archive.add(tmp_path / "evil", "../outside")
    with pytest.raises(ConfigError):
        open_bundle(bundle, keys.signing_public, tmp_path / "inner")
    assert not (tmp_path / "outside").exists()


def run_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    assert main(list(arguments)) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_life_of_an_installation(tmp_path: Path, keys: KeyPair, capsys: pytest.CaptureFixture[str]) -> None:
    save_keys(keys, tmp_path / "signing")
    first, root = tmp_path / "first.tar", tmp_path / "root"
    made = run_json(
        capsys, "edge", "bundle", "--keys", str(tmp_path / "signing"), "--out", str(first),
        "--lock", str(small_lock(tmp_path)), "--json",
    )  # fmt: skip
    config = edge_toml(tmp_path)
    trust = keys.signing_public_z85
    common = ["--root", str(root), "--json"]
    installed = run_json(
        capsys, "edge", "install", "--bundle", str(first), "--trust", trust, "--config", str(config), *common
    )
    layout = Layout(root)
    assert layout.current.resolve().name == installed["release"]
    assert made["trust"] == trust
    unit = layout.unit.read_text()
    assert "NoNewPrivileges=yes" in unit
    assert "IPAddressDeny=any" in unit
    assert main(["edge", "install", "--bundle", str(first), "--trust", trust, "--config", str(config), *common]) == 1

    content = tmp_path / "second"
    open_bundle(first, keys.signing_public, content)
    second, forged = tmp_path / "second.tar", tmp_path / "forged.tar"
    write_bundle(content, second, "9.9.9", "x86_64", keys)
    updated = run_json(capsys, "edge", "update", "--bundle", str(second), "--skip-check", *common)
    assert str(updated["release"]).startswith("9.9.9-")
    assert layout.previous.resolve().name == installed["release"]

    write_bundle(content, forged, "10.0", "x86_64", new_keys("server"))
    assert main(["edge", "update", "--bundle", str(forged), "--skip-check", *common]) == 1
    assert layout.current.resolve().name == updated["release"]

    shutil.copytree(content, tmp_path / "third")
    third = tmp_path / "third.tar"
    write_bundle(tmp_path / "third", third, "9.9.10", "x86_64", keys)
    assert main(["edge", "update", "--bundle", str(third), *common]) == 1, "`edge check` cannot run there, so no update"
    assert layout.current.resolve().name == updated["release"]

    assert run_json(capsys, "edge", "rollback", *common)["release"] == installed["release"]
    (layout.data / "keys").mkdir(parents=True)
    (layout.data / "keys/secret.keys").write_text("secret")
    assert main(["edge", "uninstall", *common]) == 1, "it asks for --yes"
    assert run_json(capsys, "edge", "uninstall", "--yes", *common)["files_wiped"] == 1
    assert not layout.data.exists()
    assert not layout.home.exists()
    with pytest.raises(HailongError):
        layout.trust()


def test_what_a_removed_box_would_lose_is_counted(tmp_path: Path) -> None:
    data, memory = tmp_path / "data", tmp_path / "run"
    for folder in (data, memory):
        folder.mkdir()
    outbox = Outbox(data / "outbox.sqlite3", 1, memory=memory)
    sheet = wire.RatingRow(201, 0, (4,) + (0,) * 31, 0, 0)
    outbox.add_sheet(sheet, 100)
    outbox.make_batches(100)
    assert waiting(data, memory) == 1
    outbox.add_sheet(sheet, 101)
    assert waiting(data, memory) == 2, "a killed box leaves it in memory"
    outbox.acknowledged(1, 1)
    outbox.close()
    assert waiting(data, memory) == 1
    assert waiting(tmp_path / "nothing") == 0
