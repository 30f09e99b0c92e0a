"""Install, update, roll back and decommission a box from real bundles, built by pip from the lock file."""

from __future__ import annotations

import json
import platform
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from edge.commands import update
from edge.commands.uninstall import waiting
from edge.delivery.outbox import Outbox
from edge.deploy import building, releases, service
from edge.deploy.bundle import Target, lock_entries, open_bundle, write_bundle
from edge.deploy.releases import Layout, activate, build, draft_path, kept_path, roll_back
from hailong.cli import main
from pipeline import wire
from pipeline.errors import ConfigError, HailongError, KeyFileError
from pipeline.keys import KeyPair, new_keys, save_keys
from pipeline.language import Message, catalogues, in_language

ROOT = Path(__file__).parents[3]
SMALL = {
    "annotated-types", "babel", "cffi", "cryptography", "msgspec", "numpy", "packaging", "platformdirs", "psutil",
    "pycparser", "pydantic", "pydantic-core", "typing-extensions", "typing-inspection",
}  # fmt: skip
"""Enough to read a configuration and write a unit; the whole lock file is installed by `make test-field`."""


def small_lock(folder: Path) -> Path:
    text = (ROOT / "requirements/edge.lock").read_text(encoding="utf-8")
    entries = re.findall(r"^[a-z0-9].*?(?=^[a-z0-9]|\Z)", text, re.MULTILINE | re.DOTALL)
    kept = [entry for entry in entries if entry.split("==")[0] in SMALL]
    assert {entry.split("==")[0] for entry in kept} == SMALL
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
        '[legal]\nbasis = "consent"\n[privacy]\nclerks_per_box = 3\n',
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


def test_errors_say_what_to_do(tmp_path: Path, keys: KeyPair) -> None:
    bundle = tmp_path / "b.tar"
    write_bundle(write_content(tmp_path / "content"), bundle, "1.0", "x86_64", keys)
    with pytest.raises(KeyFileError, match=r"not signed by the trusted key\. Do not install it"):
        open_bundle(bundle, new_keys("server").signing_public, tmp_path / "stranger")
    with pytest.raises(ConfigError, match=r"cannot be read .* Copy it anew"):
        open_bundle(tmp_path / "nothing.tar", keys.signing_public, tmp_path / "nothing")
    with pytest.raises(ConfigError, match="not numbers and dots"):
        write_bundle(tmp_path / "content", bundle, "1.0.dev1", "x86_64", keys)


def test_a_refused_bundle_is_told_in_the_reader_s_language(tmp_path: Path, keys: KeyPair) -> None:
    bundle = tmp_path / "b.tar"
    write_bundle(write_content(tmp_path / "content"), bundle, "1.0", "x86_64", keys)
    stranger = new_keys("server").signing_public
    whole = bundle.read_bytes()
    for data, trust, said in (
        (whole, stranger, f"{bundle} không được ký bằng khóa tin cậy. Không cài đặt gói này; hãy hỏi lại nơi gửi."),
        (whole[:700], keys.signing_public, f"{bundle} bị cắt ngắn. Hãy sao chép lại và đối chiếu sha256."),
        (b"x" * 700, keys.signing_public, f"{bundle} không có tệp ở vị trí của manifest.json."),
    ):
        bundle.write_bytes(data)
        with pytest.raises(HailongError) as caught:
            open_bundle(bundle, trust, tmp_path / "out")
        assert caught.value.in_language("vi").startswith(said)
        shutil.rmtree(tmp_path / "out", ignore_errors=True)


MARKED_LOCK = """numpy==2.4.6 ; python_full_version < '3.12' \\
    --hash=sha256:aa
numpy==2.5.5 ; python_full_version >= '3.12' \\
    --hash=sha256:bb
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:cc
tensor==1.0 ; platform_machine == 'aarch64' \\
    --hash=sha256:dd
h11==0.16.0 \\
    --hash=sha256:ee \\
    --hash=sha256:ff
"""


def test_a_lock_is_read_for_the_target_and_not_for_this_machine(tmp_path: Path) -> None:
    lock = tmp_path / "some.lock"
    lock.write_text(MARKED_LOCK, encoding="utf-8")
    arm = lock_entries(lock, Target("manylinux_2_28_aarch64", "3.13"))
    assert list(arm) == ["numpy", "tensor", "h11"]
    assert arm["numpy"] == "numpy==2.5.5 \\\n    --hash=sha256:bb\n"
    assert arm["h11"].endswith("    --hash=sha256:ee \\\n    --hash=sha256:ff\n")
    assert list(lock_entries(lock, Target("manylinux_2_28_x86_64", "3.11"))) == ["numpy", "h11"]


def test_a_wheel_for_an_older_system_fits() -> None:
    options = Target("manylinux_2_28_aarch64", "3.11").pip_options()
    assert {"--platform=manylinux_2_28_aarch64", "--platform=manylinux_2_17_aarch64"} <= set(options)
    assert "--platform=manylinux2014_aarch64" in options
    assert not any("2_29" in option or "2_16" in option or "x86" in option for option in options)
    for wrong in ("linux_aarch64", "manylinux_2_28_mips; rm", "win_amd64"):
        with pytest.raises(ConfigError, match="is not a platform"):
            Target(wrong)


def test_what_recognises_words_is_in_one_lock_alone() -> None:
    lock = ROOT / "requirements/edge.lock"
    for target in (Target(), Target("manylinux_2_28_aarch64", "3.11"), Target("manylinux_2_28_aarch64", "3.13")):
        found = lock_entries(lock, target)
        assert {"numpy", "onnxruntime", "pyzmq"} <= set(found)
        assert "faster-whisper" not in found, "weights for words stay out of such a bundle"
    assert "faster-whisper" in lock_entries(ROOT / "requirements/edge-asr.lock", Target())


@pytest.mark.parametrize(("version", "taken"), [("1.9", False), ("1.10", True), ("2.0", True)])
def test_no_bundle_older_than_what_the_box_had_is_taken(
    tmp_path: Path, keys: KeyPair, version: str, taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also not after a rollback: the newest that it had stays the floor."""
    monkeypatch.setattr(building, "build_environment", lambda venv, _content: venv.mkdir())
    content = write_content(tmp_path / "content")
    (content / "cache").mkdir()
    (content / "cache/one").write_text("x")

    def taken_release(version: str) -> Path:
        bundle = tmp_path / f"{version}.tar"
        write_bundle(content, bundle, version, platform.machine(), keys)
        return build(layout, bundle, keys.signing_public, lambda _text: None)

    layout = Layout(tmp_path / "root")
    first, newest = taken_release("1.2"), taken_release("1.10")
    activate(layout, first)
    activate(layout, newest)
    assert roll_back(layout) == first
    if taken:
        activate(layout, taken_release(version))
        assert layout.current.resolve().name.startswith(version)
    else:
        with pytest.raises(ConfigError, match=r"older than this box's 1\.10"):
            taken_release(version)
    assert {path.name for path in (layout.home / "releases").iterdir()} >= {first.name, newest.name}


def test_a_bundle_for_another_machine(tmp_path: Path, keys: KeyPair) -> None:
    content = write_content(tmp_path / "content")
    layout = Layout(tmp_path / "root")
    for place, python, said in (("mips64", "", "this machine is"), (platform.machine(), "3.99", "is for Python 3.99")):
        bundle = tmp_path / "b.tar"
        write_bundle(content, bundle, "1.0", place, keys, python)
        with pytest.raises(ConfigError, match=said):
            build(layout, bundle, keys.signing_public, lambda _text: None)
    assert list((layout.home / "releases").iterdir()) == []


def run_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    assert main(list(arguments)) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_what_an_update_changed_is_put_back(tmp_path: Path, keys: KeyPair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Links, unit, configurations and folder are as before, also where the release before the present one is another,
    and where the new one came with a configuration of its own."""
    monkeypatch.setattr(building, "build_environment", lambda venv, _content: venv.mkdir())
    monkeypatch.setattr(
        update, "_write_unit_of", lambda layout, _release: layout.unit.write_text("new") and "it is bad"
    )
    content = write_content(tmp_path / "content")
    (content / "cache").mkdir()
    (content / "cache/one").write_text("x")
    layout = Layout(tmp_path / "root")
    layout.unit.parent.mkdir(parents=True)
    layout.unit.write_text("old")
    layout.config.parent.mkdir(parents=True)
    layout.config.write_text(edge_toml(tmp_path).read_text("utf-8"), "utf-8")
    layout.home.mkdir(parents=True)
    (layout.home / "trust.key").write_text(keys.signing_public_z85)
    bundles = [tmp_path / f"{version}.tar" for version in ("1.0", "1.1", "1.2")]
    for bundle in bundles:
        write_bundle(content, bundle, bundle.stem, platform.machine(), keys)
    first, second = (build(layout, bundle, keys.signing_public, lambda _text: None) for bundle in bundles[:2])
    configs = {layout.config: b"[box] # present\n", layout.previous_config: b"[box] # before\n"}
    for path, text in configs.items():
        path.write_bytes(text)
    (tmp_path / "another.toml").write_text("[box] # another\n")
    for before, more in ((None, []), (first, []), (first, ["--config", str(tmp_path / "another.toml")])):
        if before is not None:
            activate(layout, second)
        else:
            activate(layout, first)
        there = (layout.current.resolve(), layout.previous.exists() and layout.previous.resolve())
        given = ["edge", "update", "--root", str(layout.root), "--skip-check", "--bundle", str(bundles[2]), *more]
        assert main(given) == 1
        assert (layout.current.resolve(), layout.previous.exists() and layout.previous.resolve()) == there
        assert layout.unit.read_text() == "old"
        assert {path: path.read_bytes() for path in layout.config.parent.iterdir()} == configs
        assert {path.name for path in (layout.home / "releases").iterdir()} == {first.name, second.name}


def test_a_release_that_needs_another_configuration_brings_it(
    tmp_path: Path, keys: KeyPair, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A setting became obligatory: the old release does not know it, the new one refuses without it. The
    configuration goes with the release, forwards and backwards, and the one that is not in use is kept as closely."""
    monkeypatch.setattr(building, "build_environment", lambda venv, _content: venv.mkdir())
    seen: list[str] = []

    def accepts(release: Path, arguments: list[str]) -> subprocess.CompletedProcess[str]:
        text = Path(arguments[-1]).read_text("utf-8") if "check" in arguments else "hall = 2"
        seen.append(text)
        wrong = release.name.startswith("1.1") and "hall" not in text
        return subprocess.CompletedProcess([], int(wrong), "[box] hall is missing", "")

    monkeypatch.setattr(releases, "run_in", accepts)
    content = write_content(tmp_path / "content")
    (content / "cache").mkdir()
    (content / "cache/one").write_text("x")
    layout = Layout(tmp_path / "root")
    layout.config.parent.mkdir(parents=True)
    layout.config.write_text("[box]\n")
    layout.home.mkdir(parents=True)
    (layout.home / "trust.key").write_text(keys.signing_public_z85)
    for version in ("1.0", "1.1", "1.2"):
        write_bundle(content, tmp_path / f"{version}.tar", version, platform.machine(), keys)
    old = build(layout, tmp_path / "1.0.tar", keys.signing_public, lambda _text: None)
    activate(layout, old)
    update_to = ["edge", "update", "--root", str(layout.root), "--bundle"]
    assert main([*update_to, str(tmp_path / "1.1.tar")]) == 1
    assert "hall is missing" in capsys.readouterr().err
    assert layout.current.resolve() == old

    given = tmp_path / "new.toml"
    given.write_text("[box]\nhall = 2\n")
    assert main([*update_to, str(tmp_path / "1.1.tar"), "--config", str(given)]) == 0
    assert layout.current.resolve().name.startswith("1.1-")
    assert layout.config.read_text() == given.read_text()
    assert layout.previous_config.read_text() == "[box]\n"
    assert not layout.next_config.exists()
    assert main(["edge", "rollback", "--root", str(layout.root)]) == 0
    assert (layout.current.resolve(), layout.config.read_text()) == (old, "[box]\n")
    assert main(["edge", "rollback", "--root", str(layout.root)]) == 0
    assert layout.config.read_text() == given.read_text()
    modes = {stat.S_IMODE(path.stat().st_mode) for path in layout.config.parent.iterdir()}
    assert modes == {0o600}, "a camera's password stands in each"

    assert main([*update_to, str(tmp_path / "1.2.tar")]) == 0
    assert not layout.previous_config.exists(), "the present configuration is the release before's, too"


def test_a_rollback_to_a_release_that_does_not_come_up_is_taken_back(
    tmp_path: Path, keys: KeyPair, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The newer release had written what the older one does not read: the box was left with one that ends at once."""
    layout = Layout(tmp_path)
    for name in ("1.0", "1.1"):
        (layout.home / "releases" / name / "venv").mkdir(parents=True)
        activate(layout, layout.home / "releases" / name)
    (layout.home / "trust.key").write_text(keys.signing_public_z85)
    watched = []

    def watch(layout: Layout, watch_s: float) -> str:
        watched.append(layout.current.resolve().name)
        return "it ended (exit-code)" if watched[-1] == "1.0" else ""

    monkeypatch.setattr(service, "is_wanted", lambda _layout: True)
    monkeypatch.setattr(service, "restart_and_watch", watch)
    monkeypatch.setattr(releases, "run_in", lambda *_: None)
    assert main(["edge", "rollback", "--root", str(tmp_path)]) == 1
    assert "1.0 does not come up: it ended (exit-code). The box is back on 1.1" in capsys.readouterr().err
    assert watched == ["1.0", "1.1"]
    assert (layout.current.resolve().name, layout.previous.resolve().name) == ("1.1", "1.0")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_life_of_an_installation(
    tmp_path: Path, keys: KeyPair, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first release's environment is built by pip; the further ones have the same wheels and get a copy of it
    (`make test-field` builds each)."""
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
    assert stat.S_IMODE(layout.config.stat().st_mode) == 0o600, "a camera's password stands in it"
    unit = layout.unit.read_text()
    assert "NoNewPrivileges=yes" in unit
    assert "IPAddressDeny=any" in unit
    assert layout.command.resolve() == layout.current.resolve() / "venv/bin/hailong"
    assert main(["edge", "install", "--bundle", str(first), "--trust", trust, "--config", str(config), *common]) == 1

    built = layout.current.resolve() / "venv"
    monkeypatch.setattr(
        building, "build_environment", lambda venv, _content: shutil.copytree(built, venv, symlinks=True)
    )
    content = tmp_path / "second"
    content.mkdir()
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
    for path in (kept_path(layout.config), draft_path(layout.config)):
        path.write_text("a camera's password")
    assert main(["edge", "uninstall", *common]) == 1, "it asks for --yes"
    wiped = run_json(capsys, "edge", "uninstall", "--yes", *common)["files_wiped"]
    assert wiped == 4, "the key, and edge.toml, the one before and the assistant's draft, with a camera's password"
    assert list(layout.config.parent.iterdir()) == []
    assert not layout.data.exists()
    assert not layout.home.exists()
    with pytest.raises(HailongError):
        layout.trust()


@pytest.mark.parametrize(("lang", "said"), [("vi", "Đã gỡ. Đã xóa sạch 1 tệp."), ("en", "Removed. 1 files wiped.")])
def test_a_box_that_has_removed_itself_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], lang: str, said: str
) -> None:
    """Its catalogues lay in the release that is gone by then: seen on a booted Debian, where it ended in a fault."""
    layout = Layout(tmp_path)
    catalogues_there = layout.home / "releases/1/pipeline/language"
    shutil.copytree(Path(catalogues.__file__).parent, catalogues_there)
    (layout.home / "trust.key").write_text(new_keys("server").signing_public_z85)
    layout.data.mkdir(parents=True)
    (layout.data / "release.sealed").write_text("a month")
    monkeypatch.setattr("pipeline.language.catalogues.FOLDERS", [catalogues_there])
    monkeypatch.setenv("LANGUAGE", lang)
    catalogues.forget()
    try:
        assert main(["edge", "uninstall", "--yes", "--root", str(tmp_path)]) == 0
        assert said in capsys.readouterr().out
        assert not layout.home.exists()
        catalogues.forget()
        assert in_language(Message("Done."), lang) == "Done.", "without any catalogue: the English of the code"
    finally:
        monkeypatch.undo()
        catalogues.forget()


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
