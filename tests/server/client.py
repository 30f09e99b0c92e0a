"""A browser's part in tests of pages: real requests to the application, cookies kept, forgery tokens read off the
page."""

from __future__ import annotations

import csv
import re
from typing import Any

from fastapi import FastAPI
from starlette.testclient import TestClient

from tests.server.province import PASSWORD


class Browser:
    """One browser."""

    def __init__(self, app: FastAPI, address: str = "10.0.0.1") -> None:
        self.http = TestClient(app, follow_redirects=False, client=(address, 50000), raise_server_exceptions=True)

    def get(self, path: str, **more: Any) -> Any:
        """GET."""
        return self.http.get(path, **more)

    def token(self, path: str = "/log-in") -> str:
        """The forgery token of a page's form."""
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', self.get(path).text)
        assert found, f"{path} has no form"
        return found[1]

    def post(self, path: str, data: dict[str, Any] | None = None, *, form: str | None = None, **more: Any) -> Any:
        """POST with the token of the page `form` (default: the log-in page)."""
        return self.http.post(path, data={"csrf": self.token(form or "/log-in"), **(data or {})}, **more)

    def then(self, answer: Any) -> Any:
        """The page that a browser shows after it has sent something: where it was led to."""
        assert answer.status_code == 303, f"{answer.status_code}: {answer.text[:200]}"
        return self.get(answer.headers["location"])

    def log_in(self, name: str, password: str = PASSWORD) -> Any:
        """Log in."""
        return self.post("/log-in", {"name": name, "password": password})


def described_columns(browser: Browser, file: Any) -> dict[str, Any]:
    """What a CSV file's columns are, in order, by the description to which it leads: name -> datatype."""
    address, relation, kind = (part.strip() for part in file.headers["link"].split(";"))
    assert (relation, kind) == ('rel="describedby"', 'type="application/csvm+json"')
    answer = browser.get(address.strip("<>"))
    assert answer.headers["content-type"].startswith("application/csvm+json")
    [table] = answer.json()["tables"]
    assert table["url"] == str(file.request.url).removeprefix("http://testserver")
    columns = table["tableSchema"]["columns"]
    assert all([said["@language"] for said in column["dc:description"]] == ["vi", "en"] for column in columns)
    found = {column["titles"]["und"]: column["datatype"] for column in columns}
    assert list(found) == next(csv.reader(file.text.lstrip("\ufeff").splitlines()))
    return found
