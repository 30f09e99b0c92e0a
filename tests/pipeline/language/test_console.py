"""What commands print for people goes through the catalogues: no plain text is written to the console."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from hailong.cli import main
from pipeline.language import PACKAGED, Message, Number
from pipeline.language.console import one_language, say, spoken
from pipeline.language.update import ROOT

FOLDERS = ("pipeline", "edge", "server", "hailong", "calibration")
EXCEPTIONS = {
    "edge/deploy/installer.py": "runs before anything is installed, with Python's own library alone",
    "edge/commands/replay.py": "figures of the networks, frame by frame, for engineers",
    "hailong/cli.py": "a fault of ours is told in two languages",
    "pipeline/language/update.py": "make messages, for developers",
}
"""Files whose plain texts stay, and why."""
PRINTS = re.compile(r"\bprint\(|\bJoined\(|\bsys\.std\w+\.write\(")
SAID = {"Message", "Plural", "_", "say"}
SHOWS_ITS_ARGUMENTS = {"join", "format", "str", "sorted", "list", "tuple", "reversed", "Joined", "capitalize", "rstrip"}
WORD = re.compile(r"[^\W\d_]{3}")
NO_WORD = re.compile(
    r"^(?![A-Z][a-z]+\.$)\S*[._-]\S*$|\b(?:n_eff|deff|rho|lambda)\b|^\s*(?:hailong|systemctl) .*|--[\w-]+(?: [A-Z]+\b)?"
    r"|^\s*\[\w+\]$|^\s*\w+ = \W?"
)
"""Names of files and of measures, lines of a shell or of a configuration."""
DEPTH = 5


class Module:
    """One file: its functions, its constants, and where its names come from."""

    def __init__(self, path: Path, text: str | None = None) -> None:
        self.path = path
        self.tree = ast.parse(path.read_text(encoding="utf-8") if text is None else text)
        self.functions = {node.name: node for node in self.tree.body if isinstance(node, ast.FunctionDef)}
        self.nodes = list(ast.walk(self.tree))
        self.imports = {
            alias.asname or alias.name: (node.module or "", alias.name)
            for node in self.nodes
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }

    def printers(self) -> dict[str, set[int]]:
        """Functions that print what they are given -> the places of those parameters."""
        found: dict[str, set[int]] = {}
        for name, function in self.functions.items():
            printed = {
                each.id
                for node in own_nodes(function)
                if isinstance(node, ast.Call) and called(node) == "print"
                for argument in node.args
                for each in ast.walk(argument)
                if isinstance(each, ast.Name)
            }
            places = {at for at, given in enumerate(function.args.args) if given.arg in printed}
            if places:
                found[name] = places
        return found

    def plain_texts(self) -> set[tuple[int, str]]:
        """(line, text) of every plain text with words in it that reaches the console or a joined sentence."""
        found: set[tuple[int, str]] = set()
        printers = self.printers()
        for scope in [self.tree, *(node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef))]:
            for node in own_nodes(scope):
                name = called(node)
                if isinstance(node, ast.Call) and (
                    name in {"print", "Joined"} or (name == "write" and is_console(node))
                ):
                    for argument in node.args:
                        found |= self.texts(argument, scope, DEPTH)
                elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and name in printers:
                    for at in printers[name] & {*range(len(node.args))}:
                        found |= self.texts(node.args[at], scope, DEPTH)
        for node in self.nodes:
            if isinstance(node, ast.Lambda) and called(node.body) == "print":
                found.add((node.lineno, "a callback that prints what it is given: hand on `say`, which mypy checks"))
        return found

    def texts(self, node: ast.AST, scope: ast.AST, depth: int) -> set[tuple[int, str]]:
        """Plain texts that may be part of an expression's value."""
        if isinstance(node, ast.Constant):
            text = NO_WORD.sub("", node.value) if isinstance(node.value, str) else ""
            return {(node.lineno, text)} if WORD.search(text) else set()
        if isinstance(node, ast.Name):
            return self._name(node.id, scope, depth)
        if isinstance(node, ast.Call):
            return self._call(node, scope, depth)
        if isinstance(node, ast.Subscript):  # a table of texts
            value = constant_of(self.tree, node.value.id) if isinstance(node.value, ast.Name) else None
            parts: list[ast.AST] = list(value.values) if isinstance(value, ast.Dict) else []
        elif isinstance(node, ast.JoinedStr | ast.BoolOp):
            parts = list(node.values)
        elif isinstance(node, ast.FormattedValue | ast.Starred | ast.NamedExpr):
            parts = [node.value]
        elif isinstance(node, ast.IfExp):
            parts = [node.body, node.orelse]
        elif isinstance(node, ast.BinOp):
            parts = [] if isinstance(node.op, ast.Div) else [node.left, node.right]
        elif isinstance(node, ast.List | ast.Tuple | ast.Set):
            parts = list(node.elts)
        elif isinstance(node, ast.ListComp | ast.GeneratorExp | ast.SetComp):
            parts = [node.elt]
        else:
            parts = []
        return {text for part in parts for text in self.texts(part, scope, depth)}

    def _name(self, name: str, scope: ast.AST, depth: int) -> set[tuple[int, str]]:
        if depth == 0:
            return set()
        values = list(values_of(name, scope)) or [each for each in [constant_of(self.tree, name)] if each is not None]
        return {text for value in values for text in self.texts(value, scope, depth - 1)}

    def _call(self, node: ast.Call, scope: ast.AST, depth: int) -> set[tuple[int, str]]:
        name = called(node)
        if name in SAID or name in {"dumps", "in_language"}:
            return set()
        if name in SHOWS_ITS_ARGUMENTS:
            parts = [*node.args, *([node.func.value] if isinstance(node.func, ast.Attribute) else [])]
            return {text for part in parts for text in self.texts(part, scope, depth)}
        if depth == 0 or not isinstance(node.func, ast.Name):
            return set()
        module, function = self, self.functions.get(name)
        if function is None and name in self.imports:
            other = module_of(self.imports[name][0])
            if other is not None:
                module, function = other, other.functions.get(self.imports[name][1])
        if function is None:
            return set()
        values = [each.value for each in own_nodes(function) if isinstance(each, ast.Return) and each.value is not None]
        return {
            (node.lineno if module is not self else line, text)
            for value in values
            for line, text in module.texts(value, function, depth - 1)
        }


@cache
def module_of(name: str) -> Module | None:
    """A module of ours by its name."""
    path = ROOT / (name.replace(".", "/") + ".py")
    return Module(path) if name.split(".")[0] in FOLDERS and path.exists() else None


def called(node: ast.AST) -> str:
    """The bare name of what is called."""
    if not isinstance(node, ast.Call):
        return ""
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def is_console(node: ast.Call) -> bool:
    """Whether this is `sys.stdout.write` or that of standard error."""
    return isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) in ("sys.stdout", "sys.stderr")


@cache
def own_nodes(scope: ast.AST) -> tuple[ast.AST, ...]:
    """Everything within a function or module, without the functions in it."""
    found: list[ast.AST] = []
    for child in ast.iter_child_nodes(scope):
        if not isinstance(child, ast.FunctionDef | ast.ClassDef):
            found += [child, *own_nodes(child)]
    return tuple(found)


def values_of(name: str, scope: ast.AST) -> Iterator[ast.AST]:
    """What a function gives to a name of its own, and appends to it."""
    for node in own_nodes(scope) if isinstance(scope, ast.FunctionDef) else ():
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    yield from (
                        value
                        for each, value in zip(target.elts, node.value.elts, strict=False)
                        if isinstance(each, ast.Name) and each.id == name
                    )
                elif isinstance(target, ast.Name) and target.id == name:
                    yield node.value
        elif isinstance(node, ast.AnnAssign | ast.AugAssign | ast.NamedExpr):
            if isinstance(node.target, ast.Name) and node.target.id == name and node.value is not None:
                yield node.value
        elif isinstance(node, ast.For) and isinstance(node.target, ast.Name) and node.target.id == name:
            yield node.iter
        elif isinstance(node, ast.Call) and called(node) in ("append", "extend", "insert"):
            owner = node.func.value if isinstance(node.func, ast.Attribute) else None
            if isinstance(owner, ast.Name) and owner.id == name:
                yield from node.args


def constant_of(tree: ast.Module, name: str) -> ast.AST | None:
    """What a module's constant is."""
    for node in tree.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return getattr(node, "value", None)
    return None


@cache
def printed(folder: str) -> dict[str, list[tuple[int, str]]]:
    """The plain texts that each file of a folder prints."""
    found = {}
    for path in sorted((ROOT / folder).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if PRINTS.search(text) and (texts := Module(path, text).plain_texts()):
            found[str(path.relative_to(ROOT))] = sorted(texts)
    return found


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_command_prints_a_plain_text(folder: str) -> None:
    found = printed(folder)
    wrong = [
        f"{name}:{line}: {text.strip()[:80]!r}"
        for name, texts in found.items()
        if name not in EXCEPTIONS
        for line, text in texts
    ]
    assert not wrong, "Say these by `say(Message(...))` (docs/language.md):\n" + "\n".join(wrong)
    listed = {name for name in EXCEPTIONS if name.split("/")[0] == folder}
    assert listed <= found.keys(), f"done, take them off the list: {sorted(listed - found.keys())}"


PLAIN = [
    "print('All holds.')",
    "print(f'{n} rows')",
    "def f():\n    text = 'All ' + 'holds'\n    print(text)",
    "def f():\n    lines = []\n    lines.append(f'{n} rows')\n    print('\\n'.join(lines))",
    "def f():\n    return 'done' if n else f'{n} problems'\ndef g():\n    print(f())",
    "WORDS = {1: 'holds'}\ndef f():\n    print(WORDS[n])",
    "NOTHING = 'nothing to do'\ndef f():\n    print(NOTHING)",
    "import sys\nsys.stderr.write('stopped')",
    "go(lambda text: print(text, file=sys.stderr))",
    "say(Joined((Message('A.'), 'and a plain one'), ' '))",
    "def f():\n    a, b = 1, 'two words'\n    print(a, b)",
    "print('one' or n)",
    "def tell(values, text):\n    print(text)\ndef f():\n    tell({}, f'{n} frames seen')",
]
DATA = [
    "print(path)",
    "print(json.dumps({'holds': True}))",
    "print(f'{a}  {b:<12} {c:,}', file=sys.stderr)",
    "print(_('All holds.'), row['name'], found.get('name'))",
    "print('\\n'.join(str(one) for one in files), end='')",
    "def f():\n    words = Message('{count} rows', count=1)\n    print(_(words))",
    "say(Message('All holds.'))",
    "print(f'  hailong edge check --config {path}')",
    "print(f'  public_key = \"{key}\"')",
]


@pytest.mark.parametrize("code", PLAIN)
def test_the_rule_finds_a_plain_text(code: str) -> None:
    assert Module(Path("x.py"), code).plain_texts()


@pytest.mark.parametrize("code", DATA)
def test_the_rule_lets_data_and_sentences_pass(code: str) -> None:
    assert not Module(Path("x.py"), code).plain_texts()


def test_a_sentence_is_said_in_the_language_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sentence = Message("log of changes: {entries} entries, head {head}", entries=Number(1234), head="ab")
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for lang, told in (("vi", "  nhật ký thay đổi: 1.234 mục, đỉnh ab\n"), ("en", "  " + sentence + "\n")):
        monkeypatch.setenv("LANGUAGE", lang)
        say(sentence, indent=2)
        assert capsys.readouterr() == (told, "")
        say(sentence, indent=2, aside=True)
        assert capsys.readouterr() == ("", told)


def test_json_keeps_english_and_adds_the_other_languages() -> None:
    sentence = Message("and more of the same")
    found = spoken("problems", [sentence, "a-file"])
    assert found == {"problems": [str(sentence), "a-file"], "problems_vi": [sentence.in_language("vi"), "a-file"]}
    assert spoken("files", {"a": [1, None, 2.5]}) == {"files": {"a": [1, None, 2.5]}}, "nothing that reads otherwise"
    read = json.loads(json.dumps({"one": found, "claim_vi": "đúng", "claim_en": "true"}))
    assert one_language(read, "vi") == {
        "one": {"problems": found["problems_vi"]},
        "claim_vi": "đúng",
        "claim_en": "true",
    }
    assert one_language(read, "en")["one"] == {"problems": found["problems"]}


def test_a_server_s_package_is_told_its_own_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is no `hailong` beside it: whoever typed what a sentence said was told "command not found"."""
    monkeypatch.setenv("LANGUAGE", "en")
    monkeypatch.setenv("HAILONG_SERVER_DIR", PACKAGED)
    say(Message("Run `hailong server backup`, then `hailong server upgrade`."))
    say(Message("On the box: {command}", command="hailong keys enroll"))
    assert capsys.readouterr().out.splitlines() == [
        "Run `hailong-server backup`, then `hailong-server upgrade`.", "On the box: hailong keys enroll",
    ]  # fmt: skip
    assert main(["server", "verify", "--store", "sqlite:///nowhere/at/all.sqlite"]) == 1
    assert capsys.readouterr().err.startswith("hailong-server verify: ")
    assert main(["server", "--help"]) == 0
    overview = capsys.readouterr().out
    assert "usage: hailong-server COMMAND" in overview
    assert "\n  hailong-server doctor " in overview
    for command, typed in ((["server", "enroll"], "enroll"), (["audit", "ratings"], "audit ratings")):
        with pytest.raises(SystemExit):
            main([*command, "--help"])
        told = capsys.readouterr().out
        assert f"usage: hailong-server {typed} " in told
        assert "hailong server" not in told
    monkeypatch.setenv("HAILONG_SERVER_DIR", "/srv/hailong")
    say(Message("Run `hailong server init`."))
    assert capsys.readouterr().out == "Run `hailong server init`.\n"
