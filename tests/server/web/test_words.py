"""What is refused is told in the page's language: Vietnamese without English, English without Vietnamese."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from sqlalchemy import Engine

import server
from server.store.tables.users import Role
from tests.server.client import Browser
from tests.server.province import Province, application, fill_province

COMMANDS_ONLY = {
    *("boxes/registry", "core/config", "core/provinces", "simulation/evidence", "service"),
    *("store/archive", "store/engine", "store/upgrade", "simulation/province", "channels/gateway/page", "app"),
}
"""Modules whose own errors reach the command line, a log or a gateway's program, and no page in their own words."""
ERRORS = {
    "ConfigError",
    "InvalidError",
    "NotFoundError",
    "ConflictError",
    "ForbiddenError",
    "StatisticsError",
    "ImportRowError",
    "LogError",
    "StoreError",
    "HTTPException",
}
ENGLISH = re.compile(
    r"\b(the|there|is|are|use|choose|no|known|has|must|should|rows|input|unknown|you|this)\b", re.IGNORECASE
)
VIETNAMESE = re.compile("[ạảãàáâậầấẩẫăắằặẳẵẹẻẽèéêệếềểễịỉĩìíọỏõòóôồốộổỗơớờợởỡụủũùúưựừứửữỳýỵỷỹđ]", re.I)


def _first(call: ast.Call) -> ast.expr:
    return call.args[1 if getattr(call.func, "id", "") == "HTTPException" else 0]


def test_every_error_that_a_page_may_show_has_both_languages() -> None:
    root = Path(server.__file__).parent
    bare = []
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).with_suffix("").as_posix()
        if name in COMMANDS_ONLY or name.startswith("commands/"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or getattr(node.func, "id", "") not in ERRORS:
                continue
            if isinstance(_first(node), ast.Constant | ast.JoinedStr):
                bare.append(f"{name}:{node.lineno}")
    assert bare == []


@pytest.mark.parametrize(
    ("role", "path", "form"),
    [
        (Role.ANALYST, "/?period=26", None),
        (Role.ANALYST, "/?period=2026-07..2026-01", None),
        (Role.ANALYST, "/agencies/nowhere", None),
        (Role.ANALYST, "/nowhere", None),
        (Role.ANALYST, "/users", None),
        (Role.ANALYST, "/analysis/nothing.csv", None),
        (Role.ANALYST, "/survey/index?by=weather", None),
        (Role.ANALYST, "/survey/index?instrument=9999", None),
        (Role.ANALYST, "/survey/index?item=Z9", None),
        (Role.ADMINISTRATOR, "/survey/plan?code=none", None),
        (Role.ADMINISTRATOR, "/survey/rounds/99", None),
        (Role.ADMINISTRATOR, "/users", {"name": "A B", "role": "analyst"}),
        (Role.ADMINISTRATOR, "/users", {"name": "analyst.p1", "role": "analyst"}),
        (Role.ADMINISTRATOR, "/users", {"name": "reader.x", "role": "agency_reader"}),
        (Role.ADMINISTRATOR, "/users/999/active", {"active": "false"}),
        (Role.ADMINISTRATOR, "/account", {"old": "x", "new": "a new long password"}),
        (Role.ADMINISTRATOR, "/settings", {"access_log_days": "1", "contact_days": "a", "late_days": "5"}),
        (Role.ADMINISTRATOR, "/catalogue/agencies", {"code": "x", "name_vi": "X", "level": "none"}),
        (Role.DATA_ENTRY, "/survey/entry/forms/XX", None),
        (None, "/feedback/nowhere", None),
        (None, "/s/none", None),
    ],
)
def test_refusals_are_in_the_pages_language(
    store: Engine, tmp_path: Path, role: Role | None, path: str, form: dict[str, str] | None
) -> None:
    province: Province = fill_province(store, "p1")
    browser = Browser(application(store, tmp_path))
    if role is not None:
        browser.log_in(province.users[role])
    for lang in ("vi", "en"):
        at = f"{path}{'&' if '?' in path else '?'}lang={lang}"
        answer = browser.get(at) if form is None else browser.post(at, form, form="/account")
        found = re.search(r'role="alert">(.+?)</(?:p|div|ul)>', answer.text, re.DOTALL)
        assert found is not None, answer.text
        words = re.sub("“.*?”|<.*?>|&#39;.*?&#39;", "", found[1])
        assert answer.status_code >= 400
        assert not (ENGLISH if lang == "vi" else VIETNAMESE).search(words), words
        assert (VIETNAMESE if lang == "vi" else ENGLISH).search(words), words
