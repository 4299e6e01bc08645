"""Logins of the smSend family: credentials in, a user key and a session key or an access token out."""

import hashlib
import secrets
import time
from collections.abc import Mapping
from urllib.parse import parse_qs

from worker.sandbox.basic import basic_login
from worker.sandbox.gateway import REFUSED_USER, Call, RefusalError
from worker.sandbox.smsend.knobs import SmsendKnobs


def user_name(call: Call, *, knobs: SmsendKnobs) -> str:
    """Return the user name of the query or of a Basic authentication.

    Raises:
        RefusalError: a half is missing, or it is the one that is not let in.
    """
    query = parse_qs(call.query, keep_blank_values=True)
    if "username" in query or "password" in query:
        user, secret = query.get("username", [""])[0], query.get("password", [""])[0]
    else:
        user, secret = basic_login(call.header(b"authorization") or "")
    if not user and not secret:
        raise RefusalError(400, "username and password are missing", messages=0)
    if not user or not secret or user == REFUSED_USER:
        raise RefusalError(knobs.login_error, "Credentials are incorrect", messages=0)
    return user


class Sessions:
    """Who is logged in."""

    def __init__(self) -> None:
        self._users: dict[bytes, str] = {}  # by user key
        self._sessions: dict[bytes, tuple[str, float]] = {}  # by session key: user, last call
        self._tokens: dict[bytes, str] = {}  # by access token: user

    def login(self, user: str) -> str:
        """Begin a session: `USER_KEY;SESSION_KEY`."""
        key = secrets.token_hex(12)
        self._sessions[key.encode()] = (user, time.monotonic())
        return f"{self._user_key(user)};{key}"

    def token(self, user: str) -> str:
        """Return the user's access token, always the same: `USER_KEY;ACCESS_TOKEN`."""
        key = next((key for key, owner in self._tokens.items() if owner == user), None)
        if key is None:
            key = secrets.token_hex(16).encode()
            self._tokens[key] = user
        return f"{self._user_key(user)};{key.decode()}"

    def _user_key(self, user: str) -> str:
        key = hashlib.sha256(user.encode()).hexdigest()[:10].upper()
        self._users[key.encode()] = user
        return key

    def user(self, call: Call, *, session_s: float, renews: bool = True) -> str:
        """Return who calls; the session lives on from now unless it is only looked at.

        Raises:
            RefusalError: 401 for keys that are missing, wrong or old, 404 for a user key that is not known.
        """
        headers = dict(reversed(call.headers))  # of several with one name the first counts
        owner = self._owner(headers, session_s=session_s, renews=renews)
        user_key = headers.get(b"user_key")
        if owner is None or not user_key:
            raise RefusalError(401, "user_key, Session_key or Access_token are not valid")
        known = self._users.get(user_key)
        if known is None:
            raise RefusalError(404, "the user_key was not found")
        if known != owner:
            raise RefusalError(401, "user_key, Session_key or Access_token are not valid")
        return owner

    def _owner(self, headers: Mapping[bytes, bytes], *, session_s: float, renews: bool) -> str | None:
        token = headers.get(b"access_token")
        if token is not None:
            return self._tokens.get(token)
        key, now_s = headers.get(b"session_key", b""), time.monotonic()
        user, called_s = self._sessions.get(key, (None, 0.0))
        if user is None or now_s - called_s > session_s:
            self._sessions.pop(key, None)
            return None
        if renews:
            self._sessions[key] = (user, now_s)
        return user
