"""The login of the smSend family: a user key and a session (or a token) in two headers.

Source: the vendor's documentation (smsend/REST-API, 2019-07), read November 2026: name and password in the
query; newer brands (Aruba, Esendex, smsenvoi, Skebby) take Basic authentication. A session ends 5 minutes
after the last call. The underscore in the names of the headers is significant.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from worker.gateways.base import HttpRequest, Outcome, Verdict
from worker.gateways.replies import retry_after_s
from worker.gateways.smsend import shapes

if TYPE_CHECKING:
    from worker.gateways.base import HttpReply

_OK = 200
_TOO_MANY = 429
_PASSING = {500, 502, 503, 504}  # a login only reads
# Two values for headers, in visible characters but for those of a web page.
_SESSION = re.compile(r"[!-:=?-~]{1,200};[!-:=?-~]{1,400}")


@dataclass(frozen=True, kw_only=True)
class SmsendLogin:
    """How a session is begun and carried; the session's text is ``USER_KEY;SESSION_KEY``."""

    base_url: str
    username: str
    secret: str = field(repr=False)
    is_basic: bool  # else in the query
    is_token: bool  # an access token, which does not end by itself

    @property
    def hidden(self) -> tuple[str, ...]:
        """What must never be seen: the secret, and the shapes in which it travels."""
        return (self.secret, quote(self.secret, safe=""), urlencode({"": self.secret})[1:], self._basic)

    def request(self) -> HttpRequest:
        """Write ``GET login``, or ``GET token``."""
        url = f"{self.base_url}/{'token' if self.is_token else 'login'}"
        if self.is_basic:
            headers = {**shapes.HEADERS, "Authorization": f"Basic {self._basic}"}
            return HttpRequest(method="GET", url=url, headers=headers)
        query = urlencode({"username": self.username, "password": self.secret}, quote_via=quote, safe="")
        return HttpRequest(method="GET", url=f"{url}?{query}", headers=shapes.HEADERS)

    def read(self, reply: HttpReply) -> str | Outcome:
        """Return the session, or why there is none: brands answer bad credentials with 401 or 404."""
        if reply.status == _OK:
            session = reply.body.decode("utf-8-sig", errors="replace").strip().strip('"')
            if _SESSION.fullmatch(session):
                return session
            return Outcome(verdict=Verdict.AMBIGUOUS, detail="the answer to the login holds no two keys")
        code, detail = shapes.complaint(reply, hide=self.hidden)
        if reply.status == _TOO_MANY or reply.status in _PASSING:
            pause_s = retry_after_s(reply)
            return Outcome(verdict=Verdict.RETRY, code=code, detail=detail, retry_after_s=pause_s)
        is_refusal = 300 <= reply.status < 500  # noqa: PLR2004 - a redirect means a wrong address
        verdict = Verdict.ACCOUNT if is_refusal else Verdict.AMBIGUOUS
        return Outcome(verdict=verdict, code=code, detail=detail)

    def sign(self, request: HttpRequest, *, session: str) -> HttpRequest:
        """Put the two keys into the headers."""
        user_key, _, key = session.partition(";")
        keys = {"user_key": user_key, "Access_token" if self.is_token else "Session_key": key}
        return replace(request, headers={**request.headers, **keys})

    def is_over(self, reply: HttpReply) -> bool:
        """Say whether the keys are no longer (or not) taken."""
        return shapes.is_session_over(reply)

    @property
    def _basic(self) -> str:
        return base64.b64encode(f"{self.username}:{self.secret}".encode()).decode()
