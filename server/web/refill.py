"""A form that was refused comes back as it was typed, with the mistake named at its head.

A page's forms are plain HTML, posted to an address of their own; what refuses one (a value that cannot be read, a rule
of the data) knows nothing of the page. So the page is asked for again, within the application, and the refused form in
it is filled with what was sent. A form that no page shows gets the page of errors."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Message as Sent

from pipeline.language import Message, Spoken, in_language
from server.web.context import language

REFUSED = frozenset({400, 409, 422})
"""States of an answer that says: what you sent does not do. Others (no such page, not yours, too fast) are no mistake
in a form."""
_NOT_STORED = Message("Nothing was stored.")
_KEPT = frozenset({"hidden", "password", "file", "submit", "button", "reset", "image"})
"""Kinds of fields that are left as the page makes them: a password is not sent back."""
Mistake = tuple[str, Spoken | str]
"""The name of the field, empty where it is about none, and what is wrong."""


async def form_again(request: Request, status: int, mistakes: Sequence[Mistake]) -> Response | None:
    """The page that shows the refused form, filled; None where there is none."""
    if request.method != "POST" or status not in REFUSED:
        return None
    try:
        form = await request.form()
    except (RuntimeError, HTTPException, ClientDisconnect):  # no form, or one that nobody could read
        return None
    typed: dict[str, list[str]] = {}
    for name, value in form.multi_items():
        if isinstance(value, str):
            typed.setdefault(name, []).append(value)
    lang = language(request)
    path = request.url.path
    for page in _above(path):
        text = await _page(request, page)
        if text and (filled := refilled(text, path, typed, mistakes, lang)):
            return HTMLResponse(filled, status)
    return None


def _above(path: str) -> list[str]:
    """The address itself and those above it, without the first page."""
    parts = path.strip("/").split("/")
    return ["/" + "/".join(parts[:count]) for count in range(len(parts), 0, -1)]


async def _page(request: Request, path: str) -> str:
    """A page of ours as this request's user sees it, empty where there is none."""
    scope: dict[str, Any] = {**request.scope, "method": "GET", "path": path, "raw_path": path.encode()}
    scope |= {"query_string": f"lang={language(request)}".encode(), "path_params": {}}
    got: list[Sent] = []

    async def receive() -> Sent:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Sent) -> None:
        got.append(message)

    try:
        await request.app.router(scope, receive, send)
    except HTTPException:
        return ""
    start = next((one for one in got if one["type"] == "http.response.start"), None)
    if start is None or start["status"] != 200 or b"text/html" not in dict(start["headers"]).get(b"content-type", b""):
        return ""
    return b"".join(one.get("body", b"") for one in got if one["type"] == "http.response.body").decode()


def refilled(
    page: str, action: str, typed: Mapping[str, Sequence[str]], mistakes: Sequence[Mistake], lang: str
) -> str | None:
    """The page with its form of this address filled; None where it shows none."""
    found = _Refill(action, typed, [(name, in_language(what, lang)) for name, what in mistakes], lang)
    found.feed(page)
    found.close()
    return found.page()


class _Refill(HTMLParser):
    """Copies a page and fills one form in it."""

    def __init__(
        self, action: str, typed: Mapping[str, Sequence[str]], mistakes: Sequence[tuple[str, str]], lang: str
    ) -> None:
        super().__init__(convert_charrefs=False)
        self._action, self._mistakes, self._lang = action, mistakes, lang
        self._typed = {name: list(values) for name, values in typed.items()}
        self._out: list[str] = []
        self._head: int | None = None
        self._inside = self._focused = self._skipping = False
        self._select: list[str] | None = None
        self._label: str | None = None
        self._labels: dict[str, str] = {}
        self._ids: dict[str, str] = {}
        named = {name for name, _ in mistakes}
        self._wrong = named & set(self._typed)

    def page(self) -> str | None:
        """What came of it."""
        if self._head is None:
            return None
        said: list[str] = []
        for name, words in self._mistakes:
            label = html.unescape(" ".join(self._labels.get(self._ids.get(name, ""), "").split()))
            label = label or ("" if name in self._ids else name)
            said.append(f"{label}: {words}" if label else words)
        items = "".join(f"<li>{html.escape(one)}</li>" for one in said)
        head = html.escape(in_language(_NOT_STORED, self._lang))
        alert = f'<div class="problem" id="mistake" role="alert">{head}<ul>{items}</ul></div>'
        return "".join((*self._out[: self._head], alert, *self._out[self._head :]))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        raw = self.get_starttag_text() or ""
        values = dict(attrs)
        if tag == "form" and self._head is None and urlsplit(values.get("action") or "").path == self._action:
            self._inside = True
            self._out.append(raw)
            self._head = len(self._out)
            return
        if self._inside:
            raw = self._within(tag, values, raw)
        self._out.append(raw)

    handle_startendtag = handle_starttag

    def _within(self, tag: str, values: dict[str, str | None], raw: str) -> str:
        name, kind = values.get("name") or "", values.get("type") or "text"
        if tag == "label":
            self._label = values.get("for")
        elif tag == "option" and self._select is not None and values.get("value") is not None:
            values.pop("selected", None)
            if values["value"] in self._select:
                values["selected"] = None
            return _tag(tag, values)
        if tag not in ("input", "select", "textarea") or kind in _KEPT or not name:
            return raw
        self._ids.setdefault(name, values.get("id") or "")
        left = self._typed.get(name)
        if tag == "input" and kind in ("checkbox", "radio"):
            values.pop("checked", None)
            if (values.get("value") or "on") in (left or ()):
                values["checked"] = None
        elif tag == "input" and left:
            values["value"] = left.pop(0)
        elif tag == "select":
            self._select = left
        if not self._focused and (name in self._wrong or not self._wrong):
            self._focused = True
            values["autofocus"] = None
            values["aria-describedby"] = f"{values.get('aria-describedby') or ''} mistake".strip()
        if name in self._wrong:
            values["aria-invalid"] = "true"
        if tag == "textarea" and left:
            self._skipping = True
            return _tag(tag, values) + "\n" + html.escape(left.pop(0))
        return _tag(tag, values)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
        elif tag == "select":
            self._select = None
        elif tag == "label":
            self._label = None
        elif tag == "textarea":
            self._skipping = False
        self._out.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if self._label is not None:
            self._labels[self._label] = self._labels.get(self._label, "") + data
        if not self._skipping:
            self._out.append(data)

    def handle_entityref(self, name: str) -> None:
        self.handle_data(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.handle_data(f"&#{name};")

    def handle_comment(self, data: str) -> None:
        self._out.append(f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        self._out.append(f"<!{decl}>")


def _tag(name: str, values: Mapping[str, str | None]) -> str:
    words = [f' {key}="{html.escape(value)}"' if value is not None else f" {key}" for key, value in values.items()]
    return f"<{name}{''.join(words)}>"
