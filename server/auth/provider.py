"""A provider of log-ins (OpenID Connect Core 1.0: authorization code with PKCE, RFC 7636): where it is, which keys it
signs with, and what may be believed of its tokens.

Nothing of a token is believed before its signature (RS256 or ES256 alone, by a key that the provider publishes for
it), issuer, audience, times and nonce have been checked; PyJWT does the arithmetic. Where a check fails, or the
provider does not answer, nobody is let in. No token is kept, and none is written into a log.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib.util
import json
import logging
import secrets
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import quote_plus, urlencode, urlsplit

from pipeline.errors import ConfigError, ProviderError
from pipeline.language import Message
from server.core.config import OidcConfig, ServerConfig, require_safe_address
from server.core.limits import RateLimiter
from server.core.secret_keys import read_client_secret
from server.outbox.delivery import Deadline, UndeliveredError, look_up, speaking

ALGORITHMS = {"RS256": "RSA", "ES256": "EC"}
"""What a token may be signed with, and the type of its key. Never `none`, never a secret that both sides know."""
MIN_RSA_BITS = 2048
MAX_ANSWER_BYTES = 1 << 18
MAX_AT_ONCE = 4
"""So many requests may wait for a provider that is slow: the rest of the server goes on."""
MAX_AGE_S = 600
"""A token of a log-in that has just happened is not older."""
DEADLINE_S = 10.0
"""What one question may take in all, its name's look-up too, however slowly the answer drips."""
FRESH_S = 3600.0
"""So long the provider's addresses and keys are held. Then it is asked again, so that a key it has withdrawn ends."""
KEYS_AGAIN_S = 60.0
"""A key that is not known is asked for at once (it may be new), but no more often."""
LOG_OUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A log-in that was begun, in this browser alone. `link_user`: who wants to link the own account; 0: nobody."""

    state: str
    nonce: str
    verifier: str
    after: str = "/"
    link_user: int = 0


@dataclass(frozen=True, slots=True)
class Verified:
    """Who has logged in: `subject_hash` names the person, `session_hash` the provider's session; and its claims."""

    subject_hash: str
    session_hash: str
    claims: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ended:
    """What a provider says has ended: a session, or all of a person (`session_hash` empty)."""

    subject_hash: str
    session_hash: str


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the provider says of itself (OpenID Connect Discovery 1.0)."""

    authorization: str
    token: str
    keys: str
    end_session: str
    names_itself: bool
    """It says in every answer who it is (RFC 9207), and so does not who pretends to be it."""


def new_attempt(after: str = "/", link_user: int = 0) -> Attempt:
    """A log-in begins: state and nonce of 192 bits, verifier of 384."""
    return Attempt(secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(48), after, link_user)


class Provider:
    """One provider. `secret`: the client's, empty for a public client. `back`: where people come back to."""

    def __init__(
        self, settings: OidcConfig, secret: str, public_url: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.settings = settings
        self.back = f"{public_url}/log-in/provider/done"
        self._log_in_page = f"{public_url}/log-in"
        self._secret = secret
        self._clock = clock
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(MAX_AT_ONCE)
        self._once = RateLimiter(1, 2 * MAX_AGE_S)
        self._held: tuple[Metadata, float] | None = None
        self._keys: list[dict[str, Any]] = []
        self._keys_s = -FRESH_S
        self._trusted = ssl.create_default_context(cafile=settings.ca_file or None)

    def log_in_address(self, attempt: Attempt) -> str:
        """Where the browser goes to log in. Raises `ProviderError`."""
        challenge = _base64(hashlib.sha256(attempt.verifier.encode()).digest())
        asked = {"response_type": "code", "client_id": self.settings.client_id, "redirect_uri": self.back}
        asked |= {"scope": " ".join(self.settings.scopes), "state": attempt.state, "nonce": attempt.nonce}
        asked |= {"code_challenge": challenge, "code_challenge_method": "S256", "ui_locales": "vi"}
        if attempt.link_user:
            asked["prompt"] = "login"
        return _with_query(self._metadata().authorization, asked)

    def log_out_address(self) -> str:
        """Where the browser goes to end the provider's session, too (RP-Initiated Logout 1.0); empty where it has no
        such place. Raises `ProviderError`."""
        place = self._metadata().end_session
        asked = {"client_id": self.settings.client_id, "post_logout_redirect_uri": self._log_in_page}
        return _with_query(place, asked) if place else ""

    def finish(self, attempt: Attempt, *, code: str, state: str, issuer: str | None) -> Verified:
        """Who has logged in. An attempt is good once. Raises `ProviderError`."""
        if not hmac.compare_digest(state.encode(), attempt.state.encode()):
            _refuse("state")
        if not self._once.allow(f"state {attempt.state}"):
            _refuse("state used before")
        metadata = self._metadata()
        if issuer is None and metadata.names_itself:
            _refuse("no issuer in the answer")
        if issuer is not None and issuer != self.settings.issuer:
            _refuse("another issuer in the answer")
        return self._verified(self._exchange(metadata, code, attempt), attempt.nonce)

    def ended(self, token: str) -> Ended:
        """What has ended, by a token of the provider (Back-Channel Logout 1.0). Raises `ProviderError`."""
        claims = self._claims(token)
        events, number = claims.get("events"), claims.get("jti")
        if not isinstance(events, dict) or not isinstance(events.get(LOG_OUT_EVENT), dict) or "nonce" in claims:
            _refuse("not a token of a log-out")
        subject, session = claims.get("sub"), claims.get("sid")
        if not (_is_name(subject) or _is_name(session)):
            _refuse("nobody named")
        if not _is_name(number) or not self._once.allow(f"log-out {number}"):
            _refuse("log-out told before")
        return Ended(
            self._hash("sub", subject) if _is_name(subject) else "",
            self._hash("sid", session) if _is_name(session) else "",
        )

    def check(self) -> int:
        """How many usable keys the provider publishes. Raises `ProviderError`."""
        self._metadata()
        self._fetch_keys()
        return sum(_suits(jwk, algorithm) for jwk in self._keys for algorithm in ALGORITHMS)

    def _exchange(self, metadata: Metadata, code: str, attempt: Attempt) -> dict[str, Any]:
        """The provider's answer to a code (RFC 6749, 4.1.3)."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.back}
        form["code_verifier"] = attempt.verifier
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        who, how = self.settings.client_id, self.settings.client_auth
        if how == "basic":
            pair = f"{quote_plus(who)}:{quote_plus(self._secret)}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form |= {"client_id": who} | ({"client_secret": self._secret} if how == "post" else {})
        answer = self._ask(metadata.token, urlencode(form).encode(), headers)
        if str(answer.get("token_type")).lower() != "bearer":
            _refuse("type of the answer")
        return answer

    def _verified(self, answer: Mapping[str, Any], nonce: str) -> Verified:
        token = answer.get("id_token")
        if not isinstance(token, str):
            _refuse("no token")
        claims = self._claims(token)
        if not _is_name(claims.get("sub")):
            _refuse("nobody named")
        said = claims.get("nonce")
        if not isinstance(said, str) or not hmac.compare_digest(said.encode(), nonce.encode()):
            _refuse("nonce")
        if "at_hash" in claims:
            access = str(answer.get("access_token", ""))
            left = _base64(hashlib.sha256(access.encode()).digest()[:16])
            if not access or not hmac.compare_digest(str(claims["at_hash"]).encode(), left.encode()):
                _refuse("at_hash")
        subject = self._hash("sub", claims["sub"])
        session = claims.get("sid")
        return Verified(subject, self._hash("sid", session) if _is_name(session) else subject, claims)

    def _claims(self, token: str) -> dict[str, Any]:
        """The claims of a token that this provider has signed, just now, for this server."""
        import jwt

        skew_s = self.settings.clock_skew_s
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            _refuse("form of the token")
        algorithm, name = header.get("alg"), header.get("kid")
        if algorithm not in ALGORITHMS:
            _refuse("algorithm")
        if "crit" in header or "b64" in header:
            _refuse("a condition that is not known")
        try:
            key = jwt.PyJWK.from_dict(self._key(name, algorithm), algorithm).key
            if algorithm == "RS256" and key.key_size < MIN_RSA_BITS:
                _refuse("a short key")
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=self.settings.client_id,
                issuer=self.settings.issuer,
                leeway=skew_s,
                options={"require": ["iss", "aud", "exp", "iat"]},
            )
        except (jwt.PyJWTError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            _refuse(type(error).__name__)
        audience, party = claims["aud"], claims.get("azp")
        if party is not None and party != self.settings.client_id:
            _refuse("azp")
        if party is None and isinstance(audience, list) and len(audience) > 1:
            _refuse("azp")
        if float(claims["iat"]) < time.time() - MAX_AGE_S - skew_s:
            _refuse("an old token")
        return claims

    def _key(self, name: object, algorithm: str) -> dict[str, Any]:
        """The one key that a token names. Asks the provider anew where it is not known, in case it has changed keys."""
        with self._lock:
            stale = self._clock() - self._keys_s >= FRESH_S
        if stale:
            self._fetch_keys()
        found = self._named(name, algorithm)
        if not found and self._clock() - self._keys_s >= KEYS_AGAIN_S:
            self._fetch_keys()
            found = self._named(name, algorithm)
        if len(found) != 1:
            _refuse("key")
        return found[0]

    def _named(self, name: object, algorithm: str) -> list[dict[str, Any]]:
        with self._lock:
            return [k for k in self._keys if (name is None or k.get("kid") == name) and _suits(k, algorithm)]

    def _fetch_keys(self) -> None:
        found = self._ask(self._metadata().keys).get("keys")
        if not isinstance(found, list):
            _refuse("list of keys")
        with self._lock:
            self._keys = [key for key in found if isinstance(key, dict)]
            self._keys_s = self._clock()

    def _metadata(self) -> Metadata:
        with self._lock:
            if self._held is not None and self._clock() - self._held[1] < FRESH_S:
                return self._held[0]
        said = self._ask(self.settings.issuer.rstrip("/") + "/.well-known/openid-configuration")
        if said.get("issuer") != self.settings.issuer:
            _refuse("another issuer")
        for name, ours in (
            ("id_token_signing_alg_values_supported", set(ALGORITHMS)),
            ("code_challenge_methods_supported", {"S256"}),
            ("response_types_supported", {"code"}),
        ):
            offered = said.get(name)
            if isinstance(offered, list) and not ours & {str(each) for each in offered}:
                _refuse(f"{name}: nothing of ours")
        metadata = Metadata(
            _address(said, "authorization_endpoint"),
            _address(said, "token_endpoint"),
            _address(said, "jwks_uri"),
            _address(said, "end_session_endpoint") if said.get("end_session_endpoint") else "",
            said.get("authorization_response_iss_parameter_supported") is True,
        )
        with self._lock:
            self._held = (metadata, self._clock())
        return metadata

    def _ask(self, url: str, form: bytes | None = None, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        """A JSON object from the provider. Raises `ProviderError`."""
        if not self._places.acquire(blocking=False):
            _away("too many wait for it")
        try:
            status, text = self._exchanged(url, form, headers or {})
        except (UndeliveredError, ValueError) as error:
            _away(str(error))
        finally:
            self._places.release()
        if form is not None and 400 <= status < 500:
            _refuse(f"the code was refused ({status})")
        if not 200 <= status < 300:
            _away(f"status {status}")
        try:
            said = json.loads(text)
        except (ValueError, RecursionError):
            _away("no JSON")
        if not isinstance(said, dict):
            _away("no JSON object")
        return said

    def _exchanged(self, url: str, form: bytes | None, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """Status and body of an answer: within `DEADLINE_S`, no redirect followed, no proxy asked: a code or a secret
        goes nowhere else. Raises `UndeliveredError`, `ValueError`."""
        parts = urlsplit(url)
        host, deadline = parts.hostname or "", Deadline(DEADLINE_S)
        tls = self._trusted if parts.scheme == "https" else None
        port = parts.port or (443 if tls else 80)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        sent = {"Host": parts.netloc, "Accept": "application/json", "Connection": "close", **headers}
        with speaking(host, port, look_up(host, port, deadline), deadline, tls) as client:
            client.request("GET" if form is None else "POST", target, form, sent)
            with client.getresponse() as answer:
                text = answer.read(MAX_ANSWER_BYTES + 1)
        if len(text) > MAX_ANSWER_BYTES:
            raise ValueError("too long")
        return answer.status, text

    def _hash(self, kind: str, name: object) -> str:
        return hashlib.sha256(json.dumps([self.settings.issuer, kind, name]).encode()).hexdigest()


def provider_of(config: ServerConfig) -> Provider | None:
    """The provider that the configuration names. Raises `ConfigError`."""
    settings = config.oidc
    if not settings.issuer:
        return None
    if importlib.util.find_spec("jwt") is None:
        raise ConfigError(Message("[oidc] needs the package PyJWT."), Message("Run: pip install 'hailong[server]'"))
    try:
        secret = "" if settings.client_auth == "none" else read_client_secret(config)
        return Provider(settings, secret, config.web.public_url)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            Message("[oidc] ca_file cannot be read ({error}).", error=type(error).__name__),
            Message("Name a file of certificates (PEM)."),
        ) from None


def _suits(jwk: Mapping[str, Any], algorithm: str) -> bool:
    """Whether a published key may have signed: public, of the algorithm's type, meant for signing."""
    return (
        jwk.get("kty") == ALGORITHMS[algorithm]
        and jwk.get("use", "sig") == "sig"
        and jwk.get("alg", algorithm) == algorithm
        and (algorithm != "ES256" or jwk.get("crv") == "P-256")
        and "d" not in jwk
    )


def _address(said: Mapping[str, Any], name: str) -> str:
    place = said.get(name)
    try:
        if not isinstance(place, str):
            raise ValueError(name)
        require_safe_address(place)
    except ValueError:
        _refuse(f"{name} is no address that is safe")
    return place


def _with_query(place: str, asked: Mapping[str, str]) -> str:
    return f"{place}{'&' if urlsplit(place).query else '?'}{urlencode(asked)}"


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _is_name(given: object) -> bool:
    return isinstance(given, str) and 0 < len(given) <= 255


def _refuse(reason: str) -> NoReturn:
    _log.warning("A log-in by the provider was refused: %s.", reason)
    raise ProviderError(
        Message("What the log-in service said could not be verified: nobody was logged in."),
        Message("Begin again; if it stays so, tell the administrator of this server."),
        reason=reason,
    )


def _away(reason: str) -> NoReturn:
    _log.warning("The provider of log-ins does not answer: %s.", reason)
    raise ProviderError(
        Message("The log-in service does not answer."),
        Message("Try again in some minutes, or log in with a password."),
        reason=reason,
    )
