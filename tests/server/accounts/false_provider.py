"""A provider of log-ins on a real socket that can be made to lie in every way that a test asks for."""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

jwt = pytest.importorskip("jwt", reason="PyJWT is not installed: pip install 'hailong[server]'")

CLIENT, SECRET = "hailong", "s3cret/of the+client"
Claims = dict[str, Any]


@functools.cache
def rsa_key(bits: int = 2048, number: int = 0) -> rsa.RSAPrivateKey:
    """A key of this size; each `number` is another."""
    return rsa.generate_private_key(65_537, bits)


@functools.cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    """A key on P-256."""
    return ec.generate_private_key(ec.SECP256R1())


def public_jwk(key: Any, name: str) -> dict[str, Any]:
    """What the provider publishes of a key."""
    algorithm = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    published: dict[str, Any] = json.loads(algorithm.to_jwk(key.public_key()))
    published.pop("key_ops", None)
    return {**published, "kid": name, "use": "sig"}


def encoded(part: Any) -> str:
    """A part of a token."""
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def by_secret(claims: Claims, secret: bytes, header: dict[str, Any]) -> str:
    """A token signed with HMAC-SHA-256, whatever the secret is: libraries refuse a public key."""
    text = f"{encoded(header)}.{encoded(claims)}"
    return f"{text}.{encoded(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"


class FalseProvider:
    """A provider. `twist` changes the claims before they are signed, `sign` makes the token of them."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = [public_jwk(rsa_key(), "one")]
        self.claims: Claims = {"sub": "person-1", "roles": ["hl-analyst"], "preferred_username": "an.nguyen"}
        self.twist: Callable[[Claims], None] = lambda _claims: None
        self.sign: Callable[[Claims], str] = lambda claims: self.signed(claims, rsa_key(), "RS256", "one")
        self.metadata: dict[str, Any] = {}
        self.answer: dict[str, Any] = {}
        self.body: bytes | None = None
        self.asked: list[str] = []
        self.moved = ""
        self._codes: dict[str, dict[str, str]] = {}
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.serve(self, b"")

            def do_POST(self) -> None:
                owner.serve(self, self.rfile.read(int(self.headers["Content-Length"])))

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def serve(self, call: BaseHTTPRequestHandler, body: bytes) -> None:
        """Answer one request."""
        path = urlsplit(call.path).path
        self.asked.append(path)
        status, said = 200, b""
        if self.moved and path == "/token":
            call.send_response(307)
            call.send_header("Location", self.moved)
            call.end_headers()
            return
        if path == "/.well-known/openid-configuration":
            said = json.dumps(self.describe()).encode()
        elif path == "/keys":
            said = json.dumps({"keys": self.keys}).encode()
        elif path == "/token":
            form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
            given = self.token(form, call.headers.get("Authorization", ""))
            status, said = (400, b'{"error":"invalid_grant"}') if given is None else (200, json.dumps(given).encode())
        else:
            status = 404
        said = said if self.body is None else self.body
        call.send_response(status)
        call.send_header("Content-Length", str(len(said)))
        call.end_headers()
        with contextlib.suppress(OSError):
            call.wfile.write(said)

    def describe(self) -> dict[str, Any]:
        """What it says of itself."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "end_session_endpoint": f"{self.issuer}/end",
            "authorization_response_iss_parameter_supported": True,
            **self.metadata,
        }

    def authorize(self, address: str) -> dict[str, str]:
        """A person logs in at an address of this provider; what comes back with the browser."""
        assert address.startswith(f"{self.issuer}/authorize?")
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        code = f"code-{len(self._codes)}"
        self._codes[code] = asked
        return {"code": code, "state": asked["state"], "iss": self.issuer}

    def token(self, form: dict[str, str], authorization: str) -> dict[str, Any] | None:
        """The answer to a code, as a provider should give it: once, to its client, with the verifier."""
        asked = self._codes.pop(form.get("code", ""), None)
        pair = base64.b64decode(authorization.removeprefix("Basic ")).decode() if authorization else ""
        challenge = encoded(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if asked is None or pair != urlencode({CLIENT: SECRET}).replace("=", ":", 1):
            return None
        if asked["redirect_uri"] != form["redirect_uri"] or asked["code_challenge"] != challenge:
            return None
        now = int(time.time())
        claims: Claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        claims |= {"sid": "session-1", **self.claims}
        claims["at_hash"] = encoded(hashlib.sha256(b"access").digest()[:16])
        self.twist(claims)
        return {"access_token": "access", "token_type": "Bearer", "id_token": self.sign(claims), **self.answer}

    def signed(self, claims: Claims, key: Any, algorithm: str, name: str | None, **header: Any) -> str:
        """A token by a key."""
        head = {**({"kid": name} if name is not None else {}), **header}
        return str(jwt.encode(claims, key, algorithm, headers=head))

    def ended(self, **more: Any) -> str:
        """A token that tells of a log-out."""
        now = int(time.time())
        claims: Claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 120,
            "jti": "1",
            "sid": "session-1",
        }
        claims |= {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}, **more}
        return self.sign({name: value for name, value in claims.items() if value is not None})


def public_pem(key: Any) -> bytes:
    """The published key as a text: what a careless server takes for a shared secret."""
    return bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
