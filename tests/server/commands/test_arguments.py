"""A value may begin with a dash: one key of 85 in Z85 does."""

from __future__ import annotations

import argparse
import importlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hailong.cli import COMMANDS, joined

_Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"


def _parser(name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=name, exit_on_error=False)
    importlib.import_module(COMMANDS[name][0]).add_arguments(parser)
    return parser


@pytest.mark.parametrize("name", ["audit ratings", "edge package", "edge install"])
def test_a_key_that_begins_with_a_dash_is_the_value_of_its_option(name: str) -> None:
    """A signed head with such a key could not be checked: argparse took the key for an option."""
    parser = _parser(name)
    key = "-" + _Z85[:39]
    option = "--key" if name == "audit ratings" else "--trust"
    action = parser._option_string_actions[option]
    words = joined(parser, [option, key, "--json"])
    assert words == [f"{option}={key}", "--json"]
    for other in parser._actions:
        other.required = False
    assert getattr(parser.parse_known_args(words)[0], action.dest) == key


@given(st.text(_Z85, min_size=1, max_size=40).filter(lambda key: key != "--"))
def test_any_value_reaches_its_option(key: str) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--key")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--many", nargs="+")
    parser.add_argument("file", nargs="?")
    if key not in parser._option_string_actions:
        assert parser.parse_args(joined(parser, ["--json", "--key", key, "file"])).key == key


def test_words_that_are_no_values_stay_as_they_are() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--key")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--many", nargs="+")
    for words in (["--key", "--json"], ["--key"], ["--json", "x"], ["--many", "a", "b"], ["--", "--key", "-x"], []):
        assert joined(parser, words) == words
