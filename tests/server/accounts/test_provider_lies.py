"""Nobody gets in by a lie: of a provider, of whoever calls himself one, of a browser."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from server.store.tables.users import Role
from tests.server.accounts.conftest import World
from tests.server.accounts.false_provider import (
    CLIENT,
    SECRET,
    Claims,
    FalseProvider,
    by_secret,
    ec_key,
    encoded,
    public_jwk,
    public_pem,
    rsa_key,
)
from tests.server.client import Browser


def _claims(**more: Any) -> Callable[[FalseProvider], None]:
    """A provider whose token says something else; `None` leaves a claim out."""

    def lie(provider: FalseProvider) -> None:
        def twist(claims: Claims) -> None:
            for name, value in more.items():
                claims[name] = value() if callable(value) else value
                if claims[name] is None:
                    del claims[name]

        provider.twist = twist

    return lie


def _signs(sign: Callable[[FalseProvider, Claims], str]) -> Callable[[FalseProvider], None]:
    def lie(provider: FalseProvider) -> None:
        provider.sign = lambda claims: sign(provider, claims)

    return lie


def _none(_provider: FalseProvider, claims: Claims, name: str = "none") -> str:
    return f"{encoded({'alg': name, 'typ': 'JWT'})}.{encoded(claims)}."


def _with_the_public_key(_provider: FalseProvider, claims: Claims) -> str:
    return by_secret(claims, public_pem(rsa_key()), {"alg": "HS256", "kid": "one"})


def _with_the_clients_secret(_provider: FalseProvider, claims: Claims) -> str:
    return by_secret(claims, SECRET.encode(), {"alg": "HS256", "kid": "one"})


def _called_rs256(_provider: FalseProvider, claims: Claims) -> str:
    return by_secret(claims, public_pem(rsa_key()), {"alg": "RS256", "kid": "one"})


def _own_key_in_the_header(provider: FalseProvider, claims: Claims) -> str:
    mine = rsa_key(2048, 1)
    return provider.signed(claims, mine, "RS256", "one", jwk=public_jwk(mine, "one"))


def _own_key_by_address(provider: FalseProvider, claims: Claims) -> str:
    return provider.signed(claims, rsa_key(2048, 1), "RS256", "mine", jku=f"{provider.issuer}/mine")


def _changed_after_signing(provider: FalseProvider, claims: Claims) -> str:
    head, _, end = provider.signed(claims, rsa_key(), "RS256", "one").split(".")
    return f"{head}.{encoded({**claims, 'roles': ['hl-admin']})}.{end}"


def _a_short_key(provider: FalseProvider, claims: Claims) -> str:
    provider.keys = [public_jwk(rsa_key(1024), "one")]
    text = f"{encoded({'alg': 'RS256', 'kid': 'one'})}.{encoded(claims)}"
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    return f"{text}.{encoded(rsa_key(1024).sign(text.encode(), PKCS1v15(), SHA256()))}"


LIES: dict[str, Callable[[FalseProvider], None]] = {
    "another issuer": _claims(iss="https://evil.example"),
    "the issuer with a slash more": lambda p: _claims(iss=f"{p.issuer}/")(p),
    "another client's token": _claims(aud="another"),
    "another client's among others": _claims(aud=["another", "third"]),
    "ours among others, without azp": _claims(aud=[CLIENT, "another"]),
    "ours among others, azp another": _claims(aud=[CLIENT, "another"], azp="another"),
    "azp another": _claims(azp="another"),
    "no audience": _claims(aud=None),
    "another nonce": _claims(nonce="nonce of another log-in"),
    "no nonce": _claims(nonce=None),
    "a nonce that is a list": lambda p: setattr(p, "twist", lambda c: c.update(nonce=[c["nonce"]])),
    "expired": _claims(exp=lambda: int(time.time()) - 61),
    "no expiry": _claims(exp=None),
    "from the future": _claims(iat=lambda: int(time.time()) + 120),
    "not yet": _claims(nbf=lambda: int(time.time()) + 120),
    "an old one": _claims(iat=lambda: int(time.time()) - 700),
    "endless": _claims(exp=float("inf")),
    "no time": _claims(iat=None),
    "nobody": _claims(sub=None),
    "an empty name": _claims(sub=""),
    "a number for a name": _claims(sub=1),
    "an endless name": _claims(sub="x" * 256),
    "another at_hash": _claims(at_hash="AAAAAAAAAAAAAAAAAAAAAA"),
    "at_hash and no access token": lambda p: p.answer.update(access_token=""),
    "alg none": _signs(_none),
    "alg None": _signs(lambda p, c: _none(p, c, "None")),
    "HS256 with the public key": _signs(_with_the_public_key),
    "HS256 with the client's secret": _signs(_with_the_clients_secret),
    "HMAC called RS256": _signs(_called_rs256),
    "RS512": _signs(lambda p, c: p.signed(c, rsa_key(), "RS512", "one")),
    "PS256": _signs(lambda p, c: p.signed(c, rsa_key(), "PS256", "one")),
    "a key that is not published": _signs(lambda p, c: p.signed(c, rsa_key(2048, 1), "RS256", "one")),
    "a name that is not published": _signs(lambda p, c: p.signed(c, rsa_key(), "RS256", "two")),
    "the own key in the header": _signs(_own_key_in_the_header),
    "the own key by address": _signs(_own_key_by_address),
    "changed after signing": _signs(_changed_after_signing),
    "a condition": _signs(lambda p, c: p.signed(c, rsa_key(), "RS256", "one", crit=["exp"])),
    "a short key": _signs(_a_short_key),
    "not a token": _signs(lambda _p, _c: "a.b"),
    "no token": lambda p: p.answer.update(id_token=None),
    "a list for a token": lambda p: p.answer.update(id_token=["a"]),
    "another type": lambda p: p.answer.update(token_type="mac"),
    "no JSON": lambda p: setattr(p, "body", b"<html>"),
    "too long": lambda p: setattr(p, "body", b'{"a": "' + b"a" * (1 << 18) + b'"}'),
    "nested": lambda p: setattr(p, "body", b"[" * 100_000),
    "a list": lambda p: setattr(p, "body", b"[]"),
    "a key for encryption": lambda p: p.keys[0].update(use="enc"),
    "a key for another algorithm": lambda p: p.keys[0].update(alg="RS512"),
    "two keys of one name": lambda p: p.keys.append(public_jwk(rsa_key(2048, 1), "one")),
    "no keys": lambda p: p.keys.clear(),
    "keys that are none": lambda p: setattr(p, "keys", [1, "a", {"kty": "RSA", "kid": "one"}]),
    "a secret among the keys": lambda p: setattr(p, "keys", [{"kty": "oct", "kid": "one", "k": encoded(b"k" * 32)}]),
}


def test_no_lie_lets_anybody_in(linked: World) -> None:
    """One world for all: each lie is told anew, to a browser that an honest provider has let in just before."""
    held: list[str] = []
    honest = dict(linked.provider.__dict__)

    def begin_anew() -> None:
        linked.provider.__dict__.update(honest)
        linked.provider.keys, linked.provider.answer, linked.provider.body = [public_jwk(rsa_key(), "one")], {}, None
        state = linked.app.state.web
        state.provider._held, state.provider._keys_s = None, -3600.0
        state.log_in_by_address.forget("10.0.0.1")

    for name, lie in LIES.items():
        begin_anew()
        place = linked.go()
        lie(linked.provider)
        answer = linked.back(linked.provider.authorize(place))
        if answer.status_code not in (502,) or linked.sessions():
            held.append(f"{name}: {answer.status_code}")
        elif "person-1" in answer.text or "problem" not in answer.text:
            held.append(f"{name}: says too much or nothing")
    assert held == []
    begin_anew()
    assert linked.enter().status_code == 303, "and the honest one still does"


def test_what_comes_back_with_the_browser_is_not_believed(linked: World) -> None:
    for wrong in ("state", "no state", "iss", "no iss", "code", "error", "no code"):
        said = linked.provider.authorize(linked.go())
        if wrong in ("state", "iss", "code"):
            said[wrong] = "https://evil.example" if wrong == "iss" else "made up"
        elif wrong == "error":
            said = {"error": "access_denied", "error_description": "<b>call 0900</b>", "state": said["state"]}
        else:
            del said[wrong.removeprefix("no ")]
        asked = linked.provider.asked.count("/token")
        answer = linked.back(said)
        assert answer.status_code in (401, 502), wrong
        assert "0900" not in re.sub('href="[^"]*"', "", answer.text), "the menu of languages leads to this address"
        assert not linked.is_in, wrong
        sent = linked.provider.asked.count("/token") - asked
        assert sent == (wrong == "code"), f"{wrong}: a code of another provider (mix-up) is sent nowhere"


def test_a_code_and_an_attempt_are_good_once(linked: World) -> None:
    said = linked.provider.authorize(linked.go())
    cookie = linked.browser.http.cookies["hl_attempt"]
    assert linked.back(said).status_code == 303
    linked.browser.post("/log-out", form="/account")
    assert linked.back(said).status_code == 401, "the attempt is gone from the browser"
    linked.browser.http.cookies.set("hl_attempt", cookie)
    again = linked.back(linked.provider.authorize(f"{linked.provider.issuer}/authorize?" + linked_query(said)))
    assert again.status_code == 502, "and kept by hand it is refused, whatever code comes with it"
    assert not linked.is_in


def linked_query(said: dict[str, str]) -> str:
    """What a second answer to the same state would have been asked with."""
    return f"state={said['state']}&nonce=n&redirect_uri=r&code_challenge=c"


def test_an_attempt_is_its_browsers_and_of_minutes(linked: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Log-in CSRF: a link that logs a victim in as somebody else."""
    said = linked.provider.authorize(linked.go())
    victim = Browser(linked.app, "10.0.0.9")
    assert victim.get("/log-in/provider/done", params=said).status_code == 401
    victim.get("/log-in")
    victim.http.cookies.set("hl_attempt", linked.browser.http.cookies["hl_attempt"])
    assert victim.get("/log-in/provider/done", params=said).status_code == 401, "nor with its cookie"
    later = time.time() + 601
    monkeypatch.setattr("server.accounts.provider_page.now_s", lambda: int(later))
    assert linked.back(said).status_code == 401


def test_nobody_is_led_elsewhere(linked: World) -> None:
    for after in ("https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"):
        answer = linked.back(linked.provider.authorize(linked.go(after)))
        assert answer.headers["location"] == "/", after


def test_keys_change_and_are_asked_for_anew_but_not_by_every_stranger(
    linked: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    linked.configure()
    monkeypatch.setattr(linked.app.state.web.provider, "_clock", clock)
    assert linked.enter().status_code == 303
    asked = linked.provider.asked.count("/keys")
    assert linked.enter().status_code == 303
    assert linked.provider.asked.count("/keys") == asked, "held"
    linked.provider.keys = [public_jwk(ec_key(), "new")]
    linked.provider.sign = lambda claims: linked.provider.signed(claims, ec_key(), "ES256", "new")
    assert linked.enter().status_code == 502, "asked for a moment ago"
    clock.now += 61
    assert linked.enter().status_code == 303, "ES256, by a key that was not known"
    linked.provider.sign = lambda claims: linked.provider.signed(claims, rsa_key(), "RS256", "one")
    assert linked.enter().status_code == 502, "the old key has ended"
    asked = linked.provider.asked.count("/keys")
    for _ in range(5):
        linked.enter()
    assert linked.provider.asked.count("/keys") == asked
    linked.provider.keys = [public_jwk(rsa_key(), "one")]
    clock.now += 3601
    assert linked.enter().status_code == 303
    linked.provider.keys = []
    clock.now += 3601
    assert linked.enter().status_code == 502, "a key that was withdrawn is not held for ever"


def test_keys_that_change_while_people_are_in_put_nobody_out_and_end_what_the_new_ones_say(
    linked: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A provider goes over to a new key with both published, then takes the old one away."""
    provider, clock = linked.provider, Clock()
    old, new = public_jwk(rsa_key(), "one"), public_jwk(ec_key(), "new")

    def by_new(claims: Claims) -> str:
        return provider.signed(claims, ec_key(), "ES256", "new")

    def ended(number: str) -> int:
        told = {"logout_token": provider.ended(jti=number)}
        return int(linked.browser.http.post("/log-in/provider/ended", data=told).status_code)

    linked.configure()
    monkeypatch.setattr(linked.app.state.web.provider, "_clock", clock)
    by_old = provider.sign
    assert linked.enter().status_code == 303
    provider.keys = [old, new]
    assert linked.is_in, "the session is ours, not the key's"
    clock.now += 61
    provider.sign = by_new
    assert linked.enter().status_code == 303
    assert linked.sessions() == 1
    provider.sign = by_old
    assert linked.enter().status_code == 303, "the old key is still published"
    provider.keys = [new]
    clock.now += 3601
    assert ended("1") == 400, "by a key that is published no more"
    assert linked.sessions() == 1
    assert linked.is_in
    provider.sign = by_new
    assert ended("2") == 200
    assert linked.sessions() == 0
    assert not linked.is_in


class Clock:
    """Where the provider's ages are taken from."""

    def __init__(self) -> None:
        self.now = 10_000.0

    def __call__(self) -> float:
        return self.now


def test_a_provider_that_describes_itself_so_is_not_gone_to(world: World) -> None:
    for metadata in (
        {"issuer": "https://evil.example"},
        {"id_token_signing_alg_values_supported": ["HS256", "none"]},
        {"code_challenge_methods_supported": ["plain"]},
        {"response_types_supported": ["id_token"]},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "http://evil.example/authorize"},
        {"token_endpoint": "file:///etc/passwd"},
        {"jwks_uri": "http://10.0.0.1/keys"},
        {"jwks_uri": None},
    ):
        world.provider.metadata = metadata
        answer = world.browser.get("/log-in/provider")
        assert answer.status_code == 502, metadata
        assert 'name="password"' in answer.text, "the password is at hand"


def test_a_secret_follows_no_redirect(linked: World) -> None:
    place = linked.go()
    linked.provider.moved = f"{linked.provider.issuer}/stolen"
    assert linked.back(linked.provider.authorize(place)).status_code == 502
    assert "/stolen" not in linked.provider.asked


def test_a_provider_that_is_away_leaves_the_password(linked: World) -> None:
    linked.configure()
    linked.provider.close()
    answer = linked.browser.get("/log-in/provider")
    assert answer.status_code == 502
    assert "không trả lời" in answer.text
    assert linked.browser.log_in(linked.name(Role.ADMINISTRATOR)).status_code == 303, "kept unlinked for this"
