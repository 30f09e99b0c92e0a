"""`--help` and wrong usage in the language of the terminal, of every command and every program of the training."""

from __future__ import annotations

import argparse
import importlib
import re

import pytest

from hailong.cli import COMMANDS, main, parser_of
from pipeline.language import language
from pipeline.language.help import columns, paragraphs, sentences, wrapped
from pipeline.language.parser import Parser
from pipeline.language.update import FOLDERS, ROOT, of_command

NAMES = list(COMMANDS)
IN_ENGLISH = re.compile(r"\b(?:the|of|that|with|this|its|from|and|is|are|print)\b")
"""Words that stand in nearly every English sentence and in no Vietnamese one."""


def helps(name: str) -> str:
    return parser_of(name)[0].format_help()


def test_every_sentence_of_help_is_in_the_catalogue() -> None:
    """What argparse will print, as it was declared, and not what the extractor found in the source."""
    vietnamese = language("vi").translations
    lacking = []
    for name in NAMES:
        parser, module = parser_of(name)
        told: list[str] = [COMMANDS[name][1].msgid, *sentences(module.__doc__ or "")]
        for action in parser._actions:
            told += [getattr(each, "msgid", each) for each in (action.help, action.metavar) if isinstance(each, str)]
            told += [action.dest] if not action.option_strings and not action.choices else []
        assert all(action.help for action in parser._actions), f"{name}: an argument without help"
        told += [group.title for group in parser._action_groups if group.title]
        lacking += [(name, each) for each in told if each != argparse.SUPPRESS and not _has(vietnamese, each)]
    assert lacking == []


def _has(translations: object, text: str) -> bool:
    return text in translations._catalog  # type: ignore[attr-defined]


def test_help_in_vietnamese_at_eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what is typed is wider, as it must not be broken."""
    monkeypatch.setenv("LANGUAGE", "vi")
    monkeypatch.setenv("COLUMNS", "80")
    for name in NAMES:
        told = helps(name)
        assert told.startswith(f"Cách dùng: hailong {name} ")
        for line in told.partition("\n\n")[2].splitlines():
            assert columns(line) <= 80 or re.fullmatch(r" *(?:hailong (?:\S+ )*\S+|--[\w-]+ \{\S+\})", line), line


def test_help_in_vietnamese_holds_no_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "vi")
    monkeypatch.setenv("COLUMNS", "400")
    for name in NAMES:
        plain = re.sub(r"`[^`]*`|--[\w-]+|^ *hailong .*?(?:   |$)", "", helps(name), flags=re.MULTILINE)
        assert not IN_ENGLISH.findall(plain), name


def test_every_word_of_help_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a language that says each sentence between ⟦ and ⟧, only what is typed stands outside of them."""
    monkeypatch.setenv("LANGUAGE", "vi")
    monkeypatch.setenv("COLUMNS", "1000")
    monkeypatch.setattr("pipeline.language.parser.translator", lambda _lang: lambda text, **_params: f"⟦{text}⟧")
    for name in NAMES:
        told = re.sub(r"^⟦usage:⟧.*", "", helps(name))
        for line in told.splitlines():
            left = re.sub(r"⟦.*?⟧|--?[\w-]+|\{\S+\}|^ *(?:hailong|--contacts) .*|^  [a-z\d_., -]+(?=⟦)", "", line)
            assert not re.search(r"\w", left), f"{name}: {line}"


@pytest.mark.parametrize("name", ["server init", "edge check", "bench edge"])
def test_help_in_english_is_argparse_s_own(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "en")
    ours, module = parser_of(name)
    plain = argparse.ArgumentParser(
        prog=ours.prog, description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    module.add_arguments(plain)
    assert ours.format_help() == plain.format_help()


def test_help_at_work_loads_no_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that just runs pays nothing for it."""

    def refuse(lang: str) -> None:
        raise AssertionError(lang)

    monkeypatch.setenv("LANGUAGE", "vi")
    monkeypatch.setattr("pipeline.language.message.language", refuse)
    parser, _ = parser_of("server init")
    assert parser.parse_args(["--province", "a", "--name", "A"]).province == "a"
    with pytest.raises(AssertionError, match="vi"):
        parser.format_help()


PROGRAMS = ["face_curves", "face_test", "face_tone", "speech", "text", "text_stack", "words_chain"]
"""Of `models.training` those that run without torch."""


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_of_the_training_helps_in_vietnamese(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LANGUAGE", "vi")
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setattr("sys.argv", [name, "--help"])
    with pytest.raises(SystemExit):
        importlib.import_module(f"models.training.{name}").main()
    told = capsys.readouterr().out
    assert told.startswith(f"Cách dùng: python -m models.training.{name} [-h]")
    assert not IN_ENGLISH.findall(re.sub(r"`[^`]*`|--[\w-]+", "", told))


def test_nothing_parses_its_arguments_in_english_alone() -> None:
    """But for what a program of ours is handed by another, or makes up itself."""
    paths = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    plain = {path.name for path in paths if "argparse.ArgumentParser(" in path.read_text(encoding="utf-8")}
    assert plain == {"trace_child.py", "fetch.py"}


WRONG = [
    (["--name", "A"], "còn thiếu: tệp, --kind."),
    (["x", "--kind", "c"], "--kind: “c” không dùng được; hãy chọn một trong: 'a', 'b'."),
    (["x", "--kind", "a", "--nmae", "A"], "không có tham số này: --nmae A. Hãy xem lại cách viết."),
    (["x", "--kind", "a", "--name"], "--name: phải có một giá trị đi sau."),
    (["x", "--kind"], "--kind: phải có một giá trị đi sau."),
    (["x", "--kind", "a", "--count", "two"], "--count: “two” không phải là số nguyên."),
    (["x", "--kind", "a", "--share", "0,5"], "--share: “0,5” không phải là số"),
    (["x", "--kind", "a", "--json=yes"], "--json: tham số này không nhận giá trị, nhưng đã ghi “yes”."),
    (["x", "--kind", "a", "--json", "--quiet"], "--quiet: không dùng cùng với --json."),
    (["x", "--kind", "a", "--n", "A"], "--n chưa đủ rõ: là --name, --number?"),
    (["x", "--kind", "a", "--many"], "--many: phải có ít nhất một giá trị đi sau."),
    (["x", "--kind", "a", "--pair", "1"], "--pair: phải có đủ số giá trị đi sau: 2."),
]


@pytest.mark.parametrize(("argv", "told"), WRONG, ids=[told for _, told in WRONG])
def test_wrong_usage_says_in_vietnamese_what_to_do(
    argv: list[str], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LANGUAGE", "vi")
    parser = Parser(prog="hailong try")
    parser.add_argument("file")
    parser.add_argument("--kind", required=True, choices=["a", "b"])
    parser.add_argument("--name")
    parser.add_argument("--number")
    parser.add_argument("--count", type=int)
    parser.add_argument("--share", type=float)
    parser.add_argument("--many", nargs="+")
    parser.add_argument("--pair", nargs=2)
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--json", action="store_true")
    either.add_argument("--quiet", action="store_true")
    with pytest.raises(SystemExit) as left:
        parser.parse_args(argv)
    assert left.value.code == 2
    usage, wrong, more = re.split(r"\nhailong try: |\n(?=Xem hướng dẫn)", capsys.readouterr().err)
    assert usage.startswith("Cách dùng: hailong try [-h] --kind {a,b}")
    assert wrong.startswith(told)
    assert not IN_ENGLISH.search(wrong)
    assert more == "Xem hướng dẫn: hailong try --help\n"


def test_one_of_several_is_needed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("LANGUAGE", "vi")
    with pytest.raises(SystemExit):
        main(["server", "backup", "x.zip"])
    told = capsys.readouterr().err
    assert "cần một trong các tham số: --recipient --passphrase-file --unencrypted." in told


def test_the_list_of_commands(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for lang, begins in (
        ("vi", "Cách dùng: hailong LỆNH [tùy chọn]\n\n"),
        ("en", "usage: hailong COMMAND [options]\n\n"),
    ):
        monkeypatch.setenv("LANGUAGE", lang)
        assert main(["--help"]) == 0
        told = capsys.readouterr().out
        assert told.startswith(begins)
        assert all(f"\n  hailong {name} " in told for name in COMMANDS)
        if lang == "vi":
            assert max(columns(line) for line in told.splitlines()) <= 80
            assert not IN_ENGLISH.findall(told)


def test_a_description_is_taken_apart() -> None:
    shown = paragraphs(
        "One sentence that\ngoes on. hailong demo is in it.\n\n  hailong demo       runs\n"
        "  hailong demo -x    goes\n                     on\n  hailong a \\\n      --b c\n  hailong d\n      below\n"
    )
    assert [[str(getattr(part, "meaning", part)) for part in parts] for parts in shown] == [
        ["One sentence that goes on. hailong demo is in it."],
        ["runs", "goes on", "", "", "below"],
    ]


def test_marks_take_no_column() -> None:
    assert columns("Thiết bị") == columns("Thiê\u0301t bi\u0323") == 8
    assert columns("中") == 2
    assert list(wrapped("Thiê\u0301t bi\u0323 tại quầy", 12)) == ["Thiê\u0301t bi\u0323 tại", "quầy"]


def test_what_the_extractor_takes_of_a_command() -> None:
    source = '"""Do it.\n\n  hailong do    now\n"""\ndef add_arguments(parser):\n    add = parser.add_argument\n'
    source += '    add("file", help="what")\n    parser.add_argument("--x", metavar="FILE", help="to " "do")\n'
    assert list(of_command(source)) == ["file", "what", "to do", "FILE"]
    assert list(of_command(source + "def run(args): ...\n"))[:2] == ["Do it.", "now"]
    assert list(of_command(source + 'Parser("do", __doc__)\n'))[:2] == ["Do it.", "now"]


def test_a_placeholder_is_one_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """PLAN is a heading elsewhere, of two words in Vietnamese."""
    monkeypatch.setenv("LANGUAGE", "vi")
    assert "[--show KẾ_HOẠCH]" in helps("server plan")
