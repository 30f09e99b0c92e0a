"""A form that was refused comes back as it was typed, with the mistake named at its head.

A page's forms are plain HTML, posted to an address of their own; what refuses one (a value that cannot be read, a rule
of the data) knows nothing of the page. So the page is asked for again, within the application, with the rights of
whoever sent the form, and the form that was sent is filled in it: of several with one address the one whose hidden
fields have the values sent, so that no mistake stands beside another row's thing. What is hidden, a password or a code
that lets somebody in stays as the page makes it. A form that no page shows gets the page of errors."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
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
_SECRETS = frozenset({"one-time-code", "current-password", "new-password"})
"""What a field is for (`autocomplete`) that is left so, too."""
_OF_EVERY_FORM = frozenset({"csrf", "sure"})
"""Names that tell no form from another."""
_OF_THE_ANSWER = frozenset({b"content-length", b"content-type", b"set-cookie"})
"""Headers that are not the page's own."""
SHOWN = "hailong.shown"
"""In the scope of a request: the route whose page was shown in place of an answer, for the access log."""
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
        text, headers, route = await _page(request, page)
        if text and (filled := await run_in_threadpool(refilled, text, path, typed, mistakes, lang, page)):
            request.scope[SHOWN] = route
            return HTMLResponse(filled, status, headers)
    return None


def _above(path: str) -> list[str]:
    """The address itself and those above it, without the first page."""
    parts = path.strip("/").split("/")
    return ["/" + "/".join(parts[:count]) for count in range(len(parts), 0, -1)]


async def _page(request: Request, path: str) -> tuple[str, dict[str, str], str]:
    """A page of ours as this request's user sees it, its own headers and its route; empty where there is none."""
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
        return "", {}, ""
    start = next((one for one in got if one["type"] == "http.response.start"), None)
    if start is None or start["status"] != 200 or b"text/html" not in dict(start["headers"]).get(b"content-type", b""):
        return "", {}, ""
    headers = {key.decode(): value.decode() for key, value in start["headers"] if key not in _OF_THE_ANSWER}
    text = b"".join(one.get("body", b"") for one in got if one["type"] == "http.response.body").decode()
    return text, headers, getattr(scope.get("route"), "path", "")


def refilled(
    page: str, action: str, typed: Mapping[str, Sequence[str]], mistakes: Sequence[Mistake], lang: str, at: str = ""
) -> str | None:
    """The page with its form of this address filled; None where it shows none. `at`: the page's own address, which is
    that of a form that names none."""
    forms = _Forms(at)
    forms.feed(page)
    forms.close()
    number = _sent(forms.found, action, typed)
    if number is None:
        return None
    found = _Refill(number, typed, [(name, in_language(what, lang)) for name, what in mistakes], lang)
    found.feed(page)
    found.close()
    return found.page()


@dataclass(slots=True)
class _Form:
    """What a page's form sends. `names`: of the fields that one fills; `buttons`: name and value."""

    actions: set[str]
    hidden: dict[str, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    buttons: set[tuple[str, str]] = field(default_factory=set)


def _sent(forms: Sequence[_Form], action: str, typed: Mapping[str, Sequence[str]]) -> int | None:
    """The place of the form that was sent: its hidden fields have the values sent, and it has most of their names."""
    own = [
        number
        for number, form in enumerate(forms)
        if action in form.actions
        and all(value in typed.get(name, ()) for name, value in form.hidden.items() if name not in _OF_EVERY_FORM)
    ]

    def common(number: int) -> int:
        pressed = sum((name, value) in forms[number].buttons for name, values in typed.items() for value in values)
        return pressed + len(forms[number].names & typed.keys())

    return max(own, key=common, default=None)


class _Forms(HTMLParser):
    """Reads a page's forms, those that are sent with GET without an address."""

    def __init__(self, at: str) -> None:
        super().__init__()
        self._at = at
        self._inside = False
        self.found: list[_Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        name, value = values.get("name") or "", values.get("value") or ""
        if tag == "form":
            action = urlsplit(values.get("action") or "").path or self._at
            self.found.append(_Form({action} if (values.get("method") or "").lower() == "post" else set()))
            self._inside = True
        elif not self._inside:
            return
        elif tag == "button":
            self.found[-1].buttons.add((name, value))
            if values.get("formaction") and self.found[-1].actions:
                self.found[-1].actions.add(urlsplit(values["formaction"] or "").path)
        elif tag == "input" and values.get("type") == "hidden":
            self.found[-1].hidden[name] = value
        elif tag in ("input", "select", "textarea"):
            self.found[-1].names.add(name)

    handle_startendtag = handle_starttag

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False


class _Refill(HTMLParser):
    """Copies a page and fills one form in it."""

    def __init__(
        self, number: int, typed: Mapping[str, Sequence[str]], mistakes: Sequence[tuple[str, str]], lang: str
    ) -> None:
        super().__init__(convert_charrefs=False)
        self._before, self._mistakes, self._lang = number, mistakes, lang
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
        if tag == "form":
            self._out.append(raw)
            if self._before == 0:
                self._inside = True
                self._head = len(self._out)
            self._before -= 1
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
        if values.get("autocomplete") in _SECRETS:
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
            self._select = left if not left or "multiple" in values else [left.pop(0)]
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
