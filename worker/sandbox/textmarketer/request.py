"""A call to Text Marketer: who calls, and the parameters in their three places."""

import base64
import functools
import re
from dataclasses import dataclass

from worker.sandbox.gateway import REFUSED_USER, Call, RefusalError
from worker.sandbox.wire import fields

_BOUNDARY = re.compile(r'boundary="?([^";,]+)"?', re.IGNORECASE)
_FIELD = re.compile(rb'[;\s]name="?([^";\r\n]+)"?', re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Login:
    """Who calls."""

    user: str
    secret: str


class FaultError(RefusalError):
    """A refusal with codes of the gateway."""

    def __init__(self, *faults: tuple[int, str], status: int = 400, messages: int = 0) -> None:
        super().__init__(status, faults[0][1], messages=messages)
        self.faults = faults


def login(call: Call, given: dict[str, str], *, status: int) -> Login:
    """Return who calls, by Basic authentication or by parameters.

    Raises:
        FaultError: nobody, or the user name that is not let in.
    """
    authorization = call.header(b"authorization")
    found = _basic(authorization) if authorization else None
    if found is None and given.get("username") and given.get("password"):
        found = _by_parameters(given["username"], given["password"])
    if found is None or not found.user or found.user == REFUSED_USER:
        raise FaultError((1, "the user name or the password is wrong"), status=status, messages=1)
    return found


@functools.lru_cache(maxsize=64)
def _by_parameters(user: str, secret: str, /) -> Login:
    return Login(user=user, secret=secret)


@functools.lru_cache(maxsize=64)
def _basic(authorization: str) -> Login | None:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:  # of base64, or of UTF-8
        return None
    return Login(user=user, secret=secret) if colon else None


def parameters(call: Call) -> dict[str, str]:
    """Return those of the query and the body, which wins; an empty one counts as absent; read once."""
    given: dict[str, str] | None = call.notes
    if given is None:
        given = call.notes = _parameters(call)
    return given


def _parameters(call: Call) -> dict[str, str]:
    boundary = _boundary(call.header(b"content-type") or "")
    given = _form(call.query) if call.query else {}
    if boundary:
        given |= _multipart(call.body, boundary=boundary)
    elif call.body:
        given |= _form(call.body.decode("utf-8", "replace"))
    return given if all(given.values()) else {name: value for name, value in given.items() if value}


@functools.lru_cache(maxsize=64)
def _boundary(content_type: str) -> bytes | None:
    if not content_type.lower().startswith("multipart/"):
        return None
    found = _BOUNDARY.search(content_type)
    return found[1].strip().encode("latin-1") if found else None


def _form(text: str) -> dict[str, str]:
    return {name: value for name, _, value in fields(text)}


def _multipart(body: bytes, *, boundary: bytes) -> dict[str, str]:
    given = {}
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary)[1:]:
        head, _, content = part.partition(b"\r\n\r\n")
        name = _FIELD.search(head)
        if name:
            given[name[1].decode("utf-8", "replace")] = content.decode("utf-8", "replace")
    return given
