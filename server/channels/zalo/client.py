"""Calls to Zalo: sending by template, ratings, and the keys that run out.

After Zalo's public documentation and code in use (docs/survey.md, "Zalo"): tokens of the official account last some 25
hours, a refresh token three months and once; failures come as HTTP 200 with a number in `error`.
"""

from __future__ import annotations

import fcntl
import json
import os
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from pipeline.errors import ConfigError, HailongError
from pipeline.language import Message
from server.outbox.delivery import Deadline, UndeliveredError, look_up, speaking

API = "https://business.openapi.zalo.me"
OAUTH = "https://oauth.zaloapp.com"
MAX_ANSWER_BYTES = 20_000_000
EARLY_S = 300
"""A token that ends within so many seconds is renewed before it is used."""
TOKEN_OVER = frozenset({-124, -216, -220})
"""The access token is not valid any more."""


class ZaloError(HailongError):
    """Zalo refuses. `number`: its own `error`, 0 where it gave none; `sure`: it has said so itself, so nothing was
    sent."""

    status = 502

    def __init__(self, number: int = 0, *, sure: bool = True) -> None:
        super().__init__(
            Message("Zalo refuses or does not answer (error {number}).", number=number),
            Message("What the number means stands at zalo.cloud, “Cách xử lý mã lỗi”."),
        )
        self.number, self.sure = number, sure


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """What an application of an official account proves itself with. `until_s`: end of the access token, Unix."""

    app_id: str
    secret_key: str
    refresh_token: str
    access_token: str = ""
    until_s: int = 0


class KeyFile:
    """The keys of a province in a file of mode 600. A refresh token works once: both new ones are on the disk before
    either is used, and two processes never renew at once."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Keys:
        """The keys. Raises `ConfigError`."""
        try:
            if self.path.stat().st_mode & 0o077:
                raise ConfigError(
                    Message("Others may read {path}.", path=self.path), Message("chmod 600 {path}", path=self.path)
                )
            return Keys(**json.loads(self.path.read_text("utf-8")))
        except (OSError, ValueError, RecursionError, TypeError):
            raise ConfigError(
                Message("There are no keys of Zalo for this province."), Message("Run `hailong server zalo keys`.")
            ) from None

    def write(self, keys: Keys) -> None:
        """Replace the file, whole or not at all."""
        part = self.path.with_name(f".{self.path.name}.part")
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(asdict(keys), file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, self.path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Within the block no other process renews."""
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)


class Zalo:
    """An official account. `api`, `oauth`: where it is reached; other places for tests."""

    def __init__(self, keys: KeyFile, api: str = API, oauth: str = OAUTH) -> None:
        self._keys, self._api, self._oauth = keys, api, oauth

    def send(self, phone: str, template: str, data: Mapping[str, str], tracking: str, *, trial: bool = False) -> int:
        """Send one message; how many may still be sent today, -1 where Zalo does not say. `phone`: national form, 0
        first. `trial`: to the account's own administrators alone. Raises `ZaloError`."""
        body: dict[str, Any] = {
            "phone": f"84{phone.removeprefix('0')}",
            "template_id": template,
            "template_data": dict(data),
            "tracking_id": tracking,
        }
        if trial:
            body["mode"] = "development"
        found = self._asked("POST", "/message/template", json.dumps(body).encode())
        try:
            return int(found["quota"]["remainingQuota"])
        except (KeyError, TypeError, ValueError):
            return -1

    def ratings(self, template: str, from_ms: int, to_ms: int, offset: int, limit: int) -> list[Any]:
        """Ratings of a template between two times (Unix milliseconds). Raises `ZaloError`."""
        query = {"template_id": template, "from_time": from_ms, "to_time": to_ms, "offset": offset, "limit": limit}
        found = self._asked("GET", f"/rating/get?{urlencode(query)}", None)
        rows = found.get("data") if isinstance(found, dict) else found
        if not isinstance(rows, list):
            raise ZaloError
        return rows

    def _asked(self, method: str, path: str, body: bytes | None) -> Any:
        """`data` of an answer; once more under a new token where the old one is over."""
        for again in (False, True):
            token = self._token(renewed=again)
            headers = {"access_token": token, "Content-Type": "application/json"}
            status, found = _call(self._api, method, path, headers, body)
            number = found.get("error")
            if status == 401 or number in TOKEN_OVER:
                continue
            if status != 200 or type(number) is not int:
                raise ZaloError(sure=400 <= status < 500)
            if number:
                raise ZaloError(number)
            return found.get("data", {})
        raise ZaloError(-124)

    def _token(self, *, renewed: bool) -> str:
        keys = self._keys.read()
        if not renewed and keys.access_token and keys.until_s - EARLY_S > time.time():
            return keys.access_token
        with self._keys.locked():
            now = self._keys.read()
            if now.access_token and now.access_token != keys.access_token:
                return now.access_token  # another process has renewed meanwhile
            form = {"app_id": now.app_id, "refresh_token": now.refresh_token, "grant_type": "refresh_token"}
            headers = {"secret_key": now.secret_key, "Content-Type": "application/x-www-form-urlencoded"}
            _status, found = _call(self._oauth, "POST", "/v4/oa/access_token", headers, urlencode(form).encode())
            access, refresh = found.get("access_token"), found.get("refresh_token")
            if not isinstance(access, str) or not isinstance(refresh, str) or not access or not refresh:
                number = found.get("error")
                raise ZaloError(number if type(number) is int else 0)
            try:
                until_s = int(time.time()) + int(found.get("expires_in", 3_600))
            except (TypeError, ValueError):
                until_s = int(time.time()) + 3_600
            self._keys.write(replace(now, access_token=access, refresh_token=refresh, until_s=until_s))
            return access


def _call(base: str, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> tuple[int, Any]:
    """(status, object). Raises `ZaloError`, not sure where the other side may have taken the call."""
    parts = urlsplit(base)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    deadline = Deadline()
    tls = ssl.create_default_context() if parts.scheme == "https" else None
    reached = False
    try:
        with speaking(host, port, look_up(host, port, deadline), deadline, tls) as client:
            reached = True
            client.request(method, path, body, {"Host": parts.netloc, "Connection": "close", **headers})
            answer = client.getresponse()
            status, told = answer.status, answer.read(MAX_ANSWER_BYTES)
    except UndeliveredError:
        raise ZaloError(sure=not reached) from None
    try:
        found = json.loads(told)
    except (ValueError, RecursionError):
        raise ZaloError(sure=400 <= status < 500) from None
    if not isinstance(found, dict):
        raise ZaloError(sure=False)
    return status, found
