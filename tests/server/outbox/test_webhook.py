"""Signed calls of a webhook: the specification's own example, a real receiver, and what must not be reached."""

from __future__ import annotations

import base64
import ipaddress
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.errors import InvalidError
from server.core.config import MailConfig
from server.outbox import delivery, mail, webhook
from server.outbox.delivery import Problem, UndeliveredError
from tests.server.outbox.receivers import talker, webhook_receiver

HERE = webhook.networks(["127.0.0.0/8"])
SECRET = bytes(32)


def test_the_signature_is_that_of_the_specifications_example() -> None:
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    made = webhook.signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert webhook.written(secret) == "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_secrets_differ_by_province_and_server() -> None:
    made = {webhook.secret_of(key, code) for key in (bytes(32), bytes([1]) * 32) for code in ("h15", "h16")}
    assert len(made) == 4
    assert all(len(secret) == 32 for secret in made)


def test_a_receiver_gets_the_body_and_headers_that_it_can_check() -> None:
    with webhook_receiver() as calls:
        webhook.call(calls.url, SECRET, "msg_1", '{"type":"alert.test","ở":1}'.encode(), at_s=1_790_000_000, inner=HERE)
    ((headers, body),) = calls.got
    assert body.decode() == '{"type":"alert.test","ở":1}'
    assert headers["webhook-id"] == "msg_1"
    assert headers["webhook-timestamp"] == "1790000000"
    assert headers["webhook-signature"] == webhook.signature(SECRET, "msg_1", 1_790_000_000, body)
    assert headers["host"] == calls.url.split("/")[2]
    assert "hailong" in headers["user-agent"]


@pytest.mark.parametrize(
    ("status", "problem", "for_good"),
    [
        (500, Problem.STATUS, False),
        (404, Problem.STATUS, False),
        (302, Problem.STATUS, False),
        (410, Problem.GONE, True),
    ],
)
def test_other_answers_are_none_and_no_redirect_is_followed(status: int, problem: Problem, for_good: bool) -> None:
    with webhook_receiver() as calls:
        calls.answers = [status]
        with pytest.raises(UndeliveredError) as told:
            webhook.call(calls.url, SECRET, "m", b"{}", at_s=0, inner=HERE)
    assert (told.value.problem, told.value.their_status, told.value.for_good) == (problem, status, for_good)
    assert len(calls.got) == 1


@pytest.mark.parametrize(
    ("says", "again_s"),
    [(b"", 0.0), (b"HTTP/1.1 200 OK\r\nX: ", 0.01), (b"\x00\x00nonsense\r\n\r\n", 0.0)],
    ids=["hanging", "dripping", "nonsense"],
)
def test_whoever_hangs_or_drips_is_left_after_a_bound(
    says: bytes, again_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "MAX_S", 0.3)
    with talker(says, again_s=again_s) as port, pytest.raises(UndeliveredError) as told:
        webhook.call(f"http://127.0.0.1:{port}/", SECRET, "m", b"{}", at_s=0, inner=HERE)
    assert told.value.problem is Problem.NO_ANSWER


@pytest.mark.parametrize(
    "text",
    [
        "", "ftp://example.vn/", "https://", "https://a@example.vn/", "https://a:b@example.vn/", "//example.vn",
        "https://example.vn/#x", "https://example.vn:0/", "https://example.vn:99999/", "https://exa mple.vn/",
        "https://example.vn/\r\nX: y", "https://ví-dụ.vn/", "file:///etc/passwd", "https://[::1",
        f"https://e.vn/{'x' * 500}",
    ],
)  # fmt: skip
def test_what_is_no_address_of_a_webhook(text: str) -> None:
    with pytest.raises(InvalidError):
        webhook.check_url(text)


INNER = [
    "127.0.0.1", "10.0.0.5", "172.16.3.4", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
    "255.255.255.255", "::1", "fe80::1", "fc00::1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a00:1",
    "2002:a00:1::", "2001:0:a00:1::1", "ff02::1", "::", "::10.0.0.1", "::127.0.0.1", "::ffff:0:10.0.0.1", "fec0::1",
    "5f00::1", "3fff::1",
]  # fmt: skip


@pytest.mark.parametrize("address", INNER)
def test_inner_addresses_are_not_reached(address: str) -> None:
    assert not webhook.may_reach(ipaddress.ip_address(address), "https", ())


def test_public_ones_are_by_https_and_inner_ones_where_the_operator_named_them() -> None:
    public = ipaddress.ip_address("8.8.8.8")
    assert webhook.may_reach(public, "https", ())
    assert webhook.may_reach(ipaddress.ip_address("2001:4860:4860::8888"), "https", ())
    assert not webhook.may_reach(public, "http", ())
    inner = webhook.networks(["10.20.0.0/16", "fc00::/7"])
    assert webhook.may_reach(ipaddress.ip_address("10.20.3.4"), "http", inner)
    assert webhook.may_reach(ipaddress.ip_address("::ffff:10.20.3.4"), "https", inner)
    assert webhook.may_reach(ipaddress.ip_address("fc00::7"), "https", inner)
    assert not webhook.may_reach(ipaddress.ip_address("10.21.3.4"), "https", inner)


def test_a_name_that_leads_inside_is_not_called_though_another_address_of_it_is_public(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def lookup(_host: str, port: int, **_more: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (place, port)) for place in ("8.8.8.8", "127.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    monkeypatch.setattr(socket, "create_connection", lambda *_a: pytest.fail("nothing may be reached"))
    with pytest.raises(UndeliveredError) as told:
        webhook.call("https://rebinding.example.vn/", SECRET, "m", b"{}", at_s=0)
    assert told.value.problem is Problem.INNER_ADDRESS


def test_without_the_operators_word_this_machine_is_not_called() -> None:
    with webhook_receiver() as calls:
        for name in ("127.0.0.1", "localhost", "0177.0.0.1", "2130706433", "[::ffff:127.0.0.1]"):
            with pytest.raises(UndeliveredError) as told:
                webhook.call(calls.url.replace("127.0.0.1", name), SECRET, "m", b"{}", at_s=0)
            assert told.value.problem in (Problem.INNER_ADDRESS, Problem.NO_ADDRESS)
    assert calls.got == []


@pytest.mark.parametrize("way", ["webhook", "mail"])
def test_a_resolver_that_hangs_is_left_after_the_bound_and_holds_few_threads(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look-up stood outside the bound: a resolver without an answer held up all letters for as long as it liked."""
    over, asked = threading.Event(), []

    def lookup(*_a: Any, **_more: Any) -> list[Any]:
        asked.append(1)
        over.wait(20)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    monkeypatch.setattr(delivery, "MAX_S", 0.1)
    letter = mail.compose("a@example.vn", "b@example.vn", "x", "x", "", "m", 0)
    config = MailConfig(host="mail.example.vn", sender="a@example.vn")
    began_s = time.monotonic()
    tries: dict[str, Callable[[], object]] = {
        "mail": lambda: mail.send(config, letter),
        "webhook": lambda: webhook.call("https://example.vn/", SECRET, "m", b"{}", at_s=0),
    }
    for _ in range(delivery.MAX_LOOK_UPS + 3):
        with pytest.raises(UndeliveredError) as told:
            tries[way]()
        assert told.value.problem is Problem.NO_ADDRESS
    assert time.monotonic() - began_s < 15
    assert len(asked) == delivery.MAX_LOOK_UPS
    over.set()
    while any(thread.name == "look-up" for thread in threading.enumerate()):
        time.sleep(0.01)


def test_a_name_of_many_places_that_do_not_answer_costs_one_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each place had its own share beside the bound, and of the mail server's name all were tried with all of it."""
    waited: list[float] = []

    def nobody(_place: tuple[str, int], timeout_s: float) -> socket.socket:
        waited.append(timeout_s)
        time.sleep(timeout_s)
        raise TimeoutError

    monkeypatch.setattr(delivery, "look_up", lambda *_a: ["8.8.8.8"] * 40)
    monkeypatch.setattr(mail, "look_up", delivery.look_up)
    monkeypatch.setattr(socket, "create_connection", nobody)
    monkeypatch.setattr(delivery, "MAX_S", 0.3)
    with pytest.raises(UndeliveredError):
        mail.send(
            MailConfig(host="mail.example.vn", sender="a@example.vn"),
            mail.compose("a@b.vn", "b@b.vn", "x", "x", "", "m", 0),
        )
    assert 0 < sum(waited) <= 0.3 + 1e-6
