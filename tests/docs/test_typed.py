"""What guides tell people to type is there: on a bare Debian, which has no `sudo`, with the two packages."""

from __future__ import annotations

import argparse
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from hailong.cli import COMMANDS, find_command
from tests.docs.test_docs import ROOT, page_name, tracked_texts

GUIDES = sorted([*ROOT.glob("docs/guides/*.md"), *ROOT.glob("docs/vi/*.md")])
"""Read beside a machine with a package, not in a checkout."""
BARE = {
    "apt", "cat", "cd", "chmod", "chown", "cp", "date", "dpkg", "echo", "head", "install", "journalctl", "ls", "mkdir",
    "mv", "nano", "printf", "rm", "runuser", "sed", "sh", "sha256sum", "su", "systemctl",
}  # fmt: skip
"""Programs of a Debian as its installer leaves it (priority required, important or standard)."""
WRAPPER = ROOT / "hailong/debian_server/hailong-server"
MAY_NAME_SUDO = ("docs/adr/", "docs/field.md", "CHANGELOG.md", "tests/", ".ci/")


def lines_to_type(page: Path) -> Iterator[str]:
    """Lines of the blocks in which commands stand; a block of settings or a drawing begins otherwise."""
    for block in re.findall(r"```(?:sh)?\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        lines = [line.strip() for line in block.splitlines() if line.strip() and not line.lstrip().startswith("#")]
        if lines and lines[0].split()[0] in BARE | {"sudo", "hailong", "hailong-server"}:
            yield from lines


def server_commands(page: Path) -> list[str]:
    """What follows `hailong-server`, in blocks and in sentences."""
    text = page.read_text(encoding="utf-8")
    return [
        *re.findall(r"^hailong-server ([a-z].*)$", text, re.MULTILINE),
        *re.findall(r"`hailong-server ([a-z][^`]*)`", text),
    ]


def passed_on() -> list[str]:
    """Commands of `hailong` itself that the package's `hailong-server` hands on."""
    found = re.search(r'case "\$\{1-\}" in ([a-z| ]+)\) ;;', WRAPPER.read_text(encoding="utf-8"))
    assert found
    return [word.strip() for word in found[1].split("|")]


def test_nobody_is_told_to_type_sudo() -> None:
    """A bare Debian has none: root logs in, or somebody types `su -`."""
    told = [
        name for name, text in tracked_texts() if not name.startswith(MAY_NAME_SUDO) and re.search(r"\bsudo\b", text)
    ]
    assert told == []


@pytest.mark.parametrize("page", GUIDES, ids=page_name)
def test_a_guide_s_commands_are_on_the_machine(page: Path) -> None:
    for line in lines_to_type(page):
        assert line.split()[0] in BARE | {"hailong", "hailong-server"}, f"{page.name}: `{line}`"
    assert "hailong server " not in page.read_text(encoding="utf-8"), "a server's package has `hailong-server` alone"


@pytest.mark.parametrize("page", GUIDES, ids=page_name)
def test_the_server_s_package_has_each_command(page: Path) -> None:
    for typed in server_commands(page):
        words = typed.partition("#")[0].split()
        words = words if words[0] in passed_on() else ["server", *words]
        name, rest = find_command(words)
        assert name is not None, f"{page.name}: hailong-server {typed}"
        parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
        importlib.import_module(COMMANDS[name][0]).add_arguments(parser)
        known = {option for action in parser._actions for option in action.option_strings} | {"--help"}
        assert {word.split("=")[0] for word in rest if word.startswith("--")} <= known, f"{page.name}: {typed}"


@pytest.mark.parametrize("page", GUIDES, ids=page_name)
def test_other_commands_are_a_box_s(page: Path) -> None:
    """`hailong` is on a box's path; a server's has `hailong-server`."""
    typed = re.findall(r"`hailong ([a-z]+)", page.read_text(encoding="utf-8"))
    assert set(typed) <= {"audit", "edge", "keys", "privacy"}, typed


def test_no_page_s_template_names_a_server_s_command_as_a_checkout_has_it() -> None:
    """A `Message` names it as this machine has it (`as_typed_here`); what a template writes itself goes by `typed`."""
    bare = re.compile(r'(?<!")\bhailong (?:server|audit|analyze)\b')
    pages = sorted(ROOT.glob("server/**/templates/*.html"))
    assert pages
    for page in pages:
        text = re.sub(r'_\(".*?"', "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert not bare.findall(text), page.name


def test_a_box_names_the_command_that_the_server_s_package_has() -> None:
    """In its sentences and in the configuration that it begins from: the server is another machine."""
    for told in (ROOT / "docs/guide/edge.toml", *ROOT.glob("edge/**/*.py")):
        assert "hailong server " not in told.read_text(encoding="utf-8"), told.name
