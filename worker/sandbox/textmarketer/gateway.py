"""Text Marketer's REST API simulated: sms, credits, delivery reports, groups, keywords, accounts, DTDs.

Source: the vendor's documentation (DTDs 1.6) and its PHP and Java clients; what no document says is a knob.
"""

import asyncio
import functools
import re
import time
from collections.abc import Mapping
from typing import ClassVar

from starlette.responses import PlainTextResponse, Response

from worker.sandbox.endings import fate_of
from worker.sandbox.gateway import Call, Gateway, RefusalError
from worker.sandbox.knobs import Knobs
from worker.sandbox.scheduled import Scheduled, Waiting
from worker.sandbox.textmarketer.knobs import TextmarketerKnobs
from worker.sandbox.textmarketer.panel import Panel
from worker.sandbox.textmarketer.reports import Reports, Requests, wanted
from worker.sandbox.textmarketer.request import FaultError, Login, login, parameters
from worker.sandbox.textmarketer.sms import NO_CREDIT, Sms, number_fault, recipients, sms
from worker.sandbox.textmarketer.xml import doctype, document, dtd, element, elements, reply, sent

_PREFIX = "/textmarketer/services/rest"
_HOST = re.compile(r"[0-9A-Za-z.\-:\[\]]+", re.ASCII)
_NOBODY: frozenset[str] = frozenset()
_METHODS: Mapping[str, tuple[str, ...]] = {
    "sms": ("POST", "DELETE"),
    "credits": ("GET", "POST"),
    "deliveryReports": ("GET",),
    "deliveryReport": ("GET",),
    "groups": ("GET",),
    "group": ("GET", "PUT", "POST"),
    "keywords": ("GET",),
    "account": ("GET", "POST", "PUT"),
}


class Textmarketer(Gateway):
    """Text Marketer; Basic authentication or parameters, forms in, XML out."""

    name: ClassVar[str] = "textmarketer"
    prefix: ClassVar[str] = _PREFIX
    make_knobs: ClassVar[type[Knobs]] = TextmarketerKnobs
    knobs: TextmarketerKnobs

    def reset(self) -> None:
        """Forget everything, groups and accounts too."""
        super().reset()
        self._panel = Panel(self.book.counts)
        self._credit = self._panel.credit
        self._scheduled = Scheduled()
        self._requests = Requests()
        self._last_scheduled_id = 100

    def sends(self, call: Call) -> bool:
        """Say whether the call is ``POST sms``."""
        return call.method == "POST" and call.path == ("sms",)

    def messages(self, call: Call) -> int:
        """Count the numbers that the call names, good or bad."""
        return len(recipients(parameters(call)))

    def send(self, call: Call) -> Response:
        """Send what the call asks."""
        system = _system(call.header(b"host") or "")
        try:
            who, given = self._entered(call)
            content = self._send(who.user, given=given)
        except RefusalError as error:
            return self._refusal(error, system=system)
        return reply(document(content, doctype=self._doctype("sms_post", system=system)))

    async def answer(self, call: Call) -> Response:
        """Do what any other call asks."""
        system = _system(call.header(b"host") or "")
        try:
            if call.path[0] == "DTD":
                return self._dtd(call)
            name, content = await self._do(call)
            return reply(document(content, doctype=self._doctype(name, system=system)))
        except RefusalError as error:
            return self._refusal(error, system=system)

    def refusal(self, error: RefusalError) -> Response:
        """Answer with the errors of Text Marketer."""
        return self._refusal(error, system=_system("127.0.0.1"))

    def _refusal(self, error: RefusalError, *, system: str) -> Response:
        self.book.counts["refused"] += error.messages
        headers = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
        if self.knobs.plain_errors and error.status != 400:  # noqa: PLR2004 - only these are promised to be XML
            return PlainTextResponse(error.text, status_code=error.status, headers=headers)
        faults = error.faults if isinstance(error, FaultError) else ((error.status, error.text),)
        content = elements("errors", [element("error", text, code=code) for code, text in faults])
        body = document(content, doctype=self._doctype("errors", system=system))
        return reply(body, status=error.status, headers=headers)

    def _doctype(self, name: str, *, system: str) -> str:
        base_url = system if self.knobs.dtd is None else self.knobs.dtd.rstrip("/")
        return doctype(name, base_url, self.knobs.owner) if base_url else ""

    def _dtd(self, call: Call) -> Response:
        found = dtd(call.path[1]) if call.method == "GET" and len(call.path) == 2 else None  # noqa: PLR2004 - DTD/NAME
        if found is None:
            raise RefusalError(404, "there is no such DTD", messages=0)
        return found

    def _entered(self, call: Call) -> tuple[Login, dict[str, str]]:
        """Return who calls, and the parameters."""
        methods = _METHODS.get(call.path[0])
        has_slash = call.raw_path.endswith("/") and not self.knobs.trailing_slash
        if methods is None or has_slash:
            raise RefusalError(404, "there is no such resource", messages=0)
        if call.method not in methods:
            raise RefusalError(405, "the method is not available for this resource", messages=0)
        given = parameters(call)
        return login(call, given, status=self.knobs.login_status), given

    async def _do(self, call: Call) -> tuple[str, str]:
        """Return the name of the answer's DTD and its content."""
        name, rest = call.path[0], call.path[1:]
        who, given = self._entered(call)
        if name == "sms" and call.method == "DELETE":
            return self._delete(who.user, ident="/".join(rest))
        if name == "sms":
            raise RefusalError(404, "there is no such resource")
        self._panel.keep_reads(who.user, knobs=self.knobs)
        if name in {"deliveryReports", "deliveryReport"}:
            return await self._report(name, rest, user=who.user)
        return self._panel.answer(call.method, (name, *rest), who=who, given=given, knobs=self.knobs)

    # --- sms

    def _send(self, user: str, *, given: dict[str, str]) -> str:
        """Send, and return the content of the answer."""
        asked = sms(given, knobs=self.knobs)
        good = self._good(asked, user=user)
        leaves_at_s = asked.leaves_at_s if asked.leaves_at_s and asked.leaves_at_s > time.time() else 0.0
        if not leaves_at_s:
            self._check_credit(user, cost=len(good) * asked.parts, n=len(asked.recipients))
        self.keep_rate(user, messages=len(good), parts=len(good) * asked.parts)
        return self._accepted(good, asked=asked, user=user, leaves_at_s=leaves_at_s)

    def _good(self, asked: Sms, *, user: str) -> list[str]:
        """Return the numbers that are accepted.

        Raises:
            FaultError: one is refused, or all, or there is one that has no credit.
        """
        stopped = self._panel.groups[user].stopped if asked.check_stop else _NOBODY
        faults = [number_fault(each, knobs=self.knobs, stopped=stopped) for each in asked.recipients]
        if not any(faults):
            return asked.recipients
        good = [each for each, fault in zip(asked.recipients, faults, strict=True) if fault is None]
        bad = dict.fromkeys(fault for fault in faults if fault is not None)
        if bad and (self.knobs.bad_number == "refuse" or not good or NO_CREDIT in bad):
            raise FaultError(*bad, messages=len(asked.recipients))
        self.book.counts["refused"] += len(asked.recipients) - len(good)
        return good

    def _check_credit(self, user: str, *, cost: int, n: int) -> None:
        left = self._credit.left(user, knobs=self.knobs)
        if left < 1:
            raise FaultError((2, "there are no credits"), messages=n)
        if left < cost:
            raise FaultError(NO_CREDIT, messages=n)

    def _accepted(self, numbers: list[str], *, asked: Sms, user: str, leaves_at_s: float) -> str:
        cost = len(numbers) * asked.parts
        places = [
            self.book.accept(
                msisdn=f"+{number}",
                text=asked.text,
                sender=asked.sender,
                reference=asked.custom,
                parts=asked.parts,
            )
            for number in numbers
        ]
        message_id = self._requests.add(user, start=places[0])
        self._credit.take(user, cost, from_s=leaves_at_s)
        self._last_scheduled_id += bool(leaves_at_s)
        for place in places if leaves_at_s else ():
            waiting = Waiting(place=place, leaves_at_s=leaves_at_s, cost=asked.parts)
            self._scheduled.add((user, str(self._last_scheduled_id)), waiting=waiting)
        for number in numbers:
            fate = fate_of(number)
            if fate and not fate.is_named:
                raise RefusalError(500, "a fault after accepting", messages=0)
        if not leaves_at_s:
            status = "QUEUED" if self.knobs.queued else "SENT"
            return sent(message_id, scheduled_id=0, credits_used=cost, status=status)
        return sent(0, scheduled_id=self._last_scheduled_id, credits_used=cost, status="SCHEDULED")

    def _delete(self, user: str, *, ident: str) -> tuple[str, str]:
        if not (ident.isdecimal() and ident.isascii()):
            raise FaultError((35, "the id is not valid"))
        cancelled = self._scheduled.cancel((user, ident))
        if not cancelled:
            raise FaultError((36, "there is no such scheduled message, or it has left"))
        self.book.counts["cancelled"] += len(cancelled)
        cost = int(sum(waiting.cost for waiting in cancelled))
        self._credit.give_back(user, cost, from_s=cancelled[0].leaves_at_s)
        return "sms_delete", element("scheduled_id", ident) + element("status", "DELETED")

    # --- the calls that read

    async def _report(self, name: str, path: tuple[str, ...], *, user: str) -> tuple[str, str]:
        reports = Reports(
            lines=self.book.lines(),
            requests=self._requests,
            scheduled=self._scheduled,
            knobs=self.knobs,
            user=user,
            now_s=time.time(),
        )
        if name == "deliveryReports":
            return "deliveryReports_get", await asyncio.to_thread(reports.listed)
        asked = wanted(path)
        # In a thread: long reports must not stop the sends.
        content = await asyncio.to_thread(reports.written, asked) if asked else ""
        if asked is None or (not content and self.knobs.no_rows == 404):  # noqa: PLR2004 - the HTTP status
            raise RefusalError(404, "there is no such delivery report", messages=0)
        return "deliveryReport_get", content


@functools.lru_cache(maxsize=64)
def _system(host: str) -> str:
    """Return the address of the DTDs, by the Host header."""
    return f"http://{host if _HOST.fullmatch(host) else '127.0.0.1'}{_PREFIX}/DTD"
