"""Network cameras by ONVIF: found by WS-Discovery (a question by UDP multicast), asked for their streams by SOAP.

Whatever is on the network may answer, so nothing of an answer is believed that points elsewhere: a camera is where its
answer came from, its service and its streams have that very address, answers are bounded, and no document type of XML
is read. The password goes as the digest that ONVIF's user name token has, never itself.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import re
import secrets
import select
import socket
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote, unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from pipeline.errors import SourceError
from pipeline.language import Message

GROUP: Final = ("239.255.255.250", 3702)
WAIT_S = 3.0
MAX_ANSWERS = 64
MAX_ANSWER_BYTES = 256 * 1024
ASK_S = 6.0
ENOUGH_PX = 640
"""Width of a picture that is enough to read faces from."""

_PROBE = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope" xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/'
    'discovery" xmlns:w="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:n="http://www.onvif.org/ver10/'
    'network/wsdl"><e:Header><w:MessageID>{identifier}</w:MessageID><w:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery'
    "</w:To><w:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</w:Action></e:Header><e:Body><d:Probe>"
    "<d:Types>n:NetworkVideoTransmitter</d:Types></d:Probe></e:Body></e:Envelope>"
)
_ASK = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope">{header}<s:Body>{body}</s:Body></s:Envelope>'
)
_SIGNED = (
    '<s:Header><o:Security xmlns:o="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd" '
    's:mustUnderstand="1"><o:UsernameToken><o:Username>{user}</o:Username><o:Password Type="http://docs.oasis-open.org/'
    'wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest">{digest}</o:Password><o:Nonce '
    'EncodingType="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary">'
    '{nonce}</o:Nonce><u:Created xmlns:u="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-'
    '1.0.xsd">{created}</u:Created></o:UsernameToken></o:Security></s:Header>'
)
_DEVICE = "http://www.onvif.org/ver10/device/wsdl"
_MEDIA = "http://www.onvif.org/ver10/media/wsdl"
_TIME = f'<GetSystemDateAndTime xmlns="{_DEVICE}"/>'
_CAPABILITIES = f'<GetCapabilities xmlns="{_DEVICE}"><Category>Media</Category></GetCapabilities>'
_PROFILES = f'<GetProfiles xmlns="{_MEDIA}"/>'
_STREAM = (
    f'<GetStreamUri xmlns="{_MEDIA}"><StreamSetup><Stream xmlns="http://www.onvif.org/ver10/schema">RTP-Unicast'
    '</Stream><Transport xmlns="http://www.onvif.org/ver10/schema"><Protocol>RTSP</Protocol></Transport></StreamSetup>'
    "<ProfileToken>{token}</ProfileToken></GetStreamUri>"
)


@dataclass(frozen=True, slots=True)
class NetworkCamera:
    """A camera that has answered. `service`: where it is asked; empty where it named no address of its own."""

    address: str
    name: str
    service: str


@dataclass(frozen=True, slots=True)
class Streams:
    """Addresses of a camera's largest stream, and of a smaller one that is enough (empty: there is none), with user and
    password in them."""

    main: str
    sub: str


def discover(
    interfaces: Sequence[str],
    wait_s: float = WAIT_S,
    group: tuple[str, int] = GROUP,
    enough: int = MAX_ANSWERS,
) -> list[NetworkCamera]:
    """Ask by multicast on each of the machine's IPv4 addresses, and listen for `wait_s` seconds or until `enough` have
    answered. Interfaces that refuse are left out; what is no answer is dropped."""
    sockets = [each for each in (_ask_on(address, group) for address in interfaces) if each is not None]
    found: dict[str, NetworkCamera] = {}
    end_s, left = time.monotonic() + wait_s, 8 * MAX_ANSWERS
    try:
        while sockets and len(found) < enough and left and (now_s := time.monotonic()) < end_s:
            for each in select.select(sockets, [], [], end_s - now_s)[0]:
                left = max(0, left - 1)
                data, (address, _port) = each.recvfrom(65_535)
                camera = read_match(data, address)
                if camera is not None and len(found) < MAX_ANSWERS:
                    found.setdefault(address, camera)
    finally:
        for each in sockets:
            each.close()
    return sorted(found.values(), key=lambda camera: socket.inet_aton(camera.address))


def _ask_on(address: str, group: tuple[str, int]) -> socket.socket | None:
    asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        asking.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
        asking.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
        asking.bind((address, 0))
        asking.sendto(_PROBE.format(identifier=uuid.uuid4().urn).encode(), group)
    except OSError:
        asking.close()
        return None
    return asking


def read_match(data: bytes, address: str) -> NetworkCamera | None:
    """The camera of an answer that came from `address`; None where it is none."""
    try:
        envelope = _parse(data)
    except ValueError:
        return None
    match = next((each for each in envelope.iter() if _name(each) == "ProbeMatch"), None)
    if match is None:
        return None
    services = _text(match, "XAddrs").split()
    service = next((each for each in services if _is_at(each, address, ("http", "https"))), "")
    scopes = [unquote(scope) for scope in _text(match, "Scopes").split()]
    named = [scope.rpartition("/")[2] for kind in ("name", "hardware") for scope in scopes if f"/{kind}/" in scope]
    words = (" ".join(dict.fromkeys(named)) or address)[:60]
    return NetworkCamera(address, "".join(sign for sign in words if sign.isprintable()), service)


def ask_streams(camera: NetworkCamera, user: str, password: str) -> Streams:
    """A camera's streams. Raises `SourceError` where it does not answer, refuses, or points elsewhere."""
    if not camera.service:
        raise SourceError(
            Message("The camera {name} names no address of its own.", name=camera.address),
            Message("Type the address of its stream: it stands in the camera's manual."),
        )
    asked = _Asked(camera, user, password)
    capabilities = asked.ask(camera.service, _CAPABILITIES)
    media = next((_text(each, "XAddr") for each in capabilities.iter() if _name(each) == "Media"), "")
    service = media if _is_at(media, camera.address, ("http", "https")) else camera.service
    profiles = [
        (_width(each), each.get("token", ""))
        for each in asked.ask(service, _PROFILES).iter()
        if _name(each) == "Profiles"
    ]
    if not profiles:
        raise SourceError(
            Message("The camera {name} tells of no stream.", name=camera.address),
            Message("Type the address of its stream: it stands in the camera's manual."),
        )
    (_, main), smaller = max(profiles), [each for each in profiles if ENOUGH_PX <= each[0] < max(profiles)[0]]
    return Streams(asked.stream(service, main), asked.stream(service, min(smaller)[1]) if smaller else "")


class _Asked:
    """One camera that is asked several things."""

    def __init__(self, camera: NetworkCamera, user: str, password: str) -> None:
        self._camera, self._user, self._password = camera, user, password
        passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        passwords.add_password(None, camera.service, user, password)
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), _NoRedirect(), urllib.request.HTTPDigestAuthHandler(passwords)
        )
        self._ahead_s = 0.0
        self._ahead_s = self._camera_time_s() - time.time() if user else 0.0

    def ask(self, service: str, body: str, signed: bool = True) -> ElementTree.Element:
        header = self._token() if self._user and signed else ""
        request = urllib.request.Request(  # noqa: S310  (the scheme was looked at)
            service,
            _ASK.format(header=header, body=body).encode(),
            {"Content-Type": "application/soap+xml; charset=utf-8"},
        )
        try:
            with self._opener.open(request, timeout=ASK_S) as answer:
                return _parse(answer.read(MAX_ANSWER_BYTES + 1))
        except urllib.error.HTTPError as error:
            error.close()
            raise SourceError(
                Message(
                    "The camera {name} refuses the question ({status}).", name=self._camera.address, status=error.code
                ),
                Message("Check its user and password; ONVIF may have a user of its own."),
            ) from None
        except (OSError, ValueError, LookupError, http.client.HTTPException):
            raise SourceError(
                Message("The camera {name} does not answer as ONVIF has it.", name=self._camera.address),
                Message("Type the address of its stream: it stands in the camera's manual."),
            ) from None

    def stream(self, service: str, token: str) -> str:
        """Address of a profile's stream, with user and password."""
        answer = self.ask(service, _STREAM.format(token=escape(token)))
        address = _text(answer, "Uri")
        if not _is_at(address, self._camera.address, ("rtsp", "rtsps")):
            raise SourceError(
                Message("The camera {name} names a stream that is not its own.", name=self._camera.address),
                Message("Type the address of its stream: it stands in the camera's manual."),
            )
        return with_password(address, self._user, self._password)

    def _token(self) -> str:
        nonce = secrets.token_bytes(16)
        created = datetime.fromtimestamp(time.time() + self._ahead_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        digest = hashlib.sha1(nonce + created.encode() + self._password.encode()).digest()  # noqa: S324  (the standard's)
        words = {"digest": base64.b64encode(digest).decode(), "nonce": base64.b64encode(nonce).decode()}
        return _SIGNED.format(user=escape(self._user), created=created, **words)

    def _camera_time_s(self) -> float:
        """Its clock, which a token has to be near; the machine's own where it does not tell."""
        try:
            told = self.ask(self._camera.service, _TIME, signed=False)
            now = next(each for each in told.iter() if _name(each) == "UTCDateTime")
            year, *rest = [int(_text(now, name)) for name in ("Year", "Month", "Day", "Hour", "Minute", "Second")]
            return datetime.fromisoformat("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}+00:00".format(year, *rest)).timestamp()
        except (SourceError, StopIteration, ValueError, OverflowError, TypeError):
            return time.time()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments: object) -> None:
        return None


def with_password(address: str, user: str, password: str) -> str:
    """An `rtsp://` address with user and password, those that it had are left out."""
    parts = urlsplit(address)
    place = parts.netloc.rpartition("@")[2]
    if user:
        place = f"{quote(user, safe='')}:{quote(password, safe='')}@{place}"
    return parts._replace(netloc=place).geturl()


def _is_at(address: str, host: str, schemes: Sequence[str]) -> bool:
    try:
        parts = urlsplit(address)
        return parts.scheme in schemes and parts.hostname == host and parts.port != 0
    except ValueError:
        return False


def _parse(data: bytes) -> ElementTree.Element:
    """Raises `ValueError` for what is no XML in UTF-8, is too long, or declares a document type."""
    text = data.decode()
    if len(data) > MAX_ANSWER_BYTES or re.search(r"<!(?!--|\[CDATA\[)", text):
        raise ValueError("not taken")
    try:
        return ElementTree.fromstring(text)  # noqa: S314  (no entity can be declared)
    except ElementTree.ParseError as error:
        raise ValueError(str(error)) from None


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _text(element: ElementTree.Element, name: str) -> str:
    return next(((each.text or "").strip() for each in element.iter() if _name(each) == name), "")


def _width(profile: ElementTree.Element) -> int:
    encoder = next((each for each in profile.iter() if _name(each) == "VideoEncoderConfiguration"), None)
    width = "" if encoder is None else _text(encoder, "Width")
    return int(width) if width.isdecimal() and len(width) <= 6 else 0
