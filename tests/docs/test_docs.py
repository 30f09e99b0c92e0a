"""What the documents say is true: links, commands, settings and dependencies."""

from __future__ import annotations

import argparse
import importlib
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from edge.config_complaints import section_of
from hailong.cli import COMMANDS, find_command

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("requirements/*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)#]+)(#[^)]*)?\)")
COMMAND = re.compile(r"^\s*(?:\$ )?(?:\.venv/bin/)?hailong ([^`\n|>#]+)", re.MULTILINE)


def page_name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def tracked_texts() -> Iterator[tuple[str, str]]:
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    for name in names:
        path = ROOT / name
        if name and path.is_file() and path.suffix not in {".onnx", ".png", ".lock", ".pdf"}:
            yield name, path.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_links_lead_somewhere(page: Path) -> None:
    for target, _ in LINK.findall(page.read_text(encoding="utf-8")):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_commands_in_the_documents_exist(page: Path) -> None:
    blocks = re.findall(r"```[a-z]*\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    for block in blocks:
        for line in COMMAND.findall(block):
            words = line.replace("\\", " ").split()
            name, rest = find_command(words)
            assert name is not None, f"{page.name}: no command `hailong {line}`"
            parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
            importlib.import_module(COMMANDS[name][0]).add_arguments(parser)
            known = {option for action in parser._actions for option in action.option_strings} | {"--help"}
            used = {word.split("=")[0] for word in rest if word.startswith("--")}
            assert used <= known, f"{page.name}: `hailong {name}` has no {used - known}"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_teaches(name: str) -> None:
    module = importlib.import_module(COMMANDS[name][0])
    assert len(module.__doc__ or "") > 40
    module.add_arguments(argparse.ArgumentParser())
    assert callable(module.run)


def test_every_command_is_documented() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert [name for name in COMMANDS if f"hailong {name}" not in text] == []


def settings(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        section = section_of(field.annotation)
        if section is not None:
            yield from settings(section, f"{prefix}{name}.")
        else:
            yield prefix + name


def test_every_setting_of_the_box_is_documented() -> None:
    from edge.config import EdgeConfig

    text = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    assert [name for name in settings(EdgeConfig) if f"`{name}`" not in text] == []


def test_every_dependency_has_its_line() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = list(project["dependencies"])
    for extra in project["optional-dependencies"].values():
        wanted += extra
    names = {re.split(r"[\[<>=~ ]", entry)[0] for entry in wanted} - {"hailong"}
    text = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| ([a-z0-9-]+) \|", text, re.MULTILINE)) - {"package"}
    assert names - listed == set(), "packages without a line"
    assert listed - names == set(), "lines without a package"


def test_texts_name_no_machine_and_no_registry() -> None:
    roots = ("work", "root", "farm")
    forbidden = re.compile(
        r"(?<![\w.])/(?:"
        + "|".join(roots)
        + r")/|pypi\.o"
        + r"rg|files\.python"
        + r"hosted|registry\.npm"
        + r"js|deb\.debian\.o"
        + r"rg"
    )
    found = [(name, match.group()) for name, text in tracked_texts() if (match := forbidden.search(text))]
    assert found == []


def test_the_installed_packages_do_not_clash_with_ours() -> None:
    """No installed distribution has a top-level package of the same name as one of our folders."""
    import importlib.metadata

    ours = {"edge", "models", "pipeline", "calibration", "server", "hailong", "benchmarks"}
    clashes = {
        (name, dist)
        for name, dists in importlib.metadata.packages_distributions().items()
        for dist in dists
        if name in ours and dist != "hailong"
    }
    assert clashes == set()


def decisions() -> list[str]:
    rows = []
    for page in sorted((ROOT / "docs/adr").glob("0*.md")):
        number, text = page.name[:4], page.read_text(encoding="utf-8")
        title = re.match(rf"# {number} (.+)\n\nStatus: (.+)\n", text)
        assert title is not None, f"{page.name} begins with `# {number} TITLE`, an empty line and `Status: ...`"
        rows.append(f"| [{number}]({page.name}) | {title[1]} | {title[2]} |")
    return rows


def test_the_list_of_decisions_is_their_pages() -> None:
    listed = [line for line in (ROOT / "docs/adr/README.md").read_text("utf-8").splitlines() if line.startswith("| [")]
    assert listed == decisions(), "write docs/adr/README.md anew: a line for each page, in order"


def test_a_decision_that_a_later_one_changes_says_so() -> None:
    """And names one that is there."""
    numbers = {row[3:7] for row in decisions()}
    for row in decisions():
        for later in re.findall(r"(?:changed|replaced) by (\d{4})", row):
            assert later in numbers
            assert later > row[3:7]
