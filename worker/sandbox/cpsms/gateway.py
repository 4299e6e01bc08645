"""CPSMS.dk v2 simulated: send, sendgroup, simplesend, creditvalue, getlog, deletesms, groups, contacts.

Source: the vendor's documentation of 2016 and the shapes of later clients; what no document says is a knob.
"""

import asyncio
import math
import time
from collections.abc import Iterator
from functools import partial
from itertools import accumulate
from typing import Any, ClassVar

from starlette.responses import Response

from worker.sandbox.cpsms.contacts import Contacts
from worker.sandbox.cpsms.knobs import CpsmsKnobs, points
from worker.sandbox.cpsms.log import log
from worker.sandbox.cpsms.paths import is_known, names_of
from worker.sandbox.cpsms.replies import credit, item, refusal_reply, send_reply
from worker.sandbox.cpsms.request import (
    NO_CREDIT,
    Submission,
    listed,
    number_fault,
    parameters,
    submission,
    user_name,
)
from worker.sandbox.credit import Credit
from worker.sandbox.endings import State, fate_of
from worker.sandbox.gateway import Call, Gateway, JsonReply, RefusalError
from worker.sandbox.knobs import Knobs
from worker.sandbox.receipts import Receipts
from worker.sandbox.scheduled import Scheduled, Waiting

_CANCEL_AHEAD_S = 600
_SENDS = frozenset({"send", "sendgroup", "simplesend"})


class Cpsms(Gateway):
    """CPSMS v2; Basic authentication, JSON or path segments in, JSON out."""

    name: ClassVar[str] = "cpsms"
    prefix: ClassVar[str] = "/cpsms/v2"
    make_knobs: ClassVar[type[Knobs]] = CpsmsKnobs
    knobs: CpsmsKnobs

    def __init__(self) -> None:
        self._receipts = Receipts({})
        super().__init__()

    def reset(self) -> None:
        """Forget everything, contacts and outstanding reports too."""
        super().reset()
        self._contacts = Contacts()
        self._receipts.stop()
        self._receipts = Receipts(self.book.receipts)
        self._credit = Credit()
        self._scheduled = Scheduled()
        self._logged_at_s: dict[str, float] = {}

    def sends(self, call: Call) -> bool:
        """Say whether the call is one of the three that send."""
        return call.path[0] in _SENDS and is_known(call)

    def messages(self, call: Call) -> int:
        """Count the numbers that the call names, good or bad."""
        try:
            return len(listed(self._given(call)))
        except RefusalError:
            return 0

    def send(self, call: Call) -> Response:
        """Send what the call asks."""
        try:
            user, given = self._entered(call)
            return self._send(user, given=given)
        except RefusalError as error:
            return self.refusal(error)

    async def answer(self, call: Call) -> Response:
        """Do what any other call asks."""
        try:
            user, given = self._entered(call)
            return await self._do(call.path[0], user=user, given=given)
        except RefusalError as error:
            return self.refusal(error)

    def refusal(self, error: RefusalError) -> Response:
        """Answer with the error object of CPSMS."""
        self.book.counts["refused"] += error.messages
        return refusal_reply(error, knobs=self.knobs)

    def _entered(self, call: Call) -> tuple[str, dict[str, Any]]:
        """Return the user name and the parameters."""
        user, given = user_name(call.header(b"authorization") or ""), self._given(call)
        if self.knobs.refuse_ip:
            raise RefusalError(403, "the address is not allowed")
        return user, given

    async def _do(self, name: str, *, user: str, given: dict[str, Any]) -> Response:
        if name == "creditvalue":
            left = self._credit.left(user, knobs=self.knobs)
            return JsonReply({"credit": credit(left, knobs=self.knobs)})
        if name == "getlog":
            return await self._log(user, given=given)
        if name == "deletesms":
            return self._delete(user, reference=str(given.get("reference", "")))
        return JsonReply(self._contacts.do(name, given=given, is_2016=self.knobs.has_old_names))

    def _given(self, call: Call) -> dict[str, Any]:
        """Return the parameters, with the numbers of the group where one is named."""
        given: dict[str, Any] | None = call.notes
        if given is None:
            given = parameters(call, names=names_of(call))
            if "to_group" in given:
                given["to"] = self._contacts.numbers(given["to_group"])
            call.notes = given
        return given

    # --- send

    def _send(self, user: str, *, given: dict[str, Any]) -> Response:
        asked = submission(given, knobs=self.knobs)
        good: list[str] = []
        refused: list[tuple[str, tuple[int, str]]] = []
        for number in asked.recipients:
            fault = number_fault(number, knobs=self.knobs)
            if fault:
                refused.append((number, fault))
            else:
                good.append(number)
        paid = self._paid(user, good=good, asked=asked)
        if paid:
            self.keep_rate(user, messages=len(paid), parts=len(paid) * asked.parts)
        accepted = [self._accept(number, user=user, asked=asked) for number in paid]
        if len(paid) < len(good):
            refused += [(number, NO_CREDIT) for number in good[len(paid) :]]
        self.book.counts["refused"] += len(refused)
        return send_reply(accepted, refused=refused, knobs=self.knobs)

    def _paid(self, user: str, *, good: list[str], asked: Submission) -> list[str]:
        """Return the first of the good numbers, as far as the credit goes.

        Raises:
            RefusalError: it goes not far enough for any, or not for all while only all or none are accepted.
        """
        left = self._credit.left(user, knobs=self.knobs)
        if left == math.inf:
            return good
        spent = accumulate(points(number, parts=asked.parts) for number in good)
        n_paid = sum(spent_by <= left for spent_by in spent)
        if n_paid == len(good) or (n_paid and self.knobs.credit_stops == "within"):
            return good[:n_paid]
        raise RefusalError(*NO_CREDIT, messages=len(asked.recipients))

    def _accept(self, number: str, *, user: str, asked: Submission) -> str:
        """Accept a message and return its item of the answer, empty where the answer leaves it out."""
        place = self.book.accept(
            msisdn=f"+{number}",
            text=asked.text,
            sender=asked.sender,
            reference=asked.reference,
            parts=asked.parts,
        )
        cost = points(number, parts=asked.parts)
        self._credit.take(user, cost)
        if asked.send_at_s and asked.send_at_s > time.time():
            waiting = Waiting(place=place, leaves_at_s=asked.send_at_s, cost=cost)
            self._scheduled.add((user, asked.reference), waiting=waiting)
        if asked.dlr_url:
            self._report(number, place=place, asked=asked)
        fate = fate_of(number)
        is_named = fate is None or fate.is_named
        return item(number, cost=cost, parts=asked.parts, knobs=self.knobs) if is_named else ""

    def _report(self, number: str, *, place: int, asked: Submission) -> None:
        joint = "&" if "?" in asked.dlr_url else "?"
        numbers = self.knobs.dlr_numbers

        def url_of(state: State) -> str:
            return f"{asked.dlr_url}{joint}status={numbers[state]}&receiver={number}"

        self._receipts.report(
            number,
            base_url=asked.dlr_url,
            url_of=url_of,
            knobs=self.knobs,
            leaves_at_s=asked.send_at_s,
            method=self.knobs.dlr_method,
            is_off=partial(self._scheduled.is_cancelled, place),
        )

    # --- credit, log, delete

    async def _log(self, user: str, *, given: dict[str, Any]) -> Response:
        now_s, knobs = time.time(), self.knobs
        if now_s - self._logged_at_s.get(user, 0) < knobs.getlog_interval_s:
            raise RefusalError(knobs.getlog_error, "the log can be read once in 2 minutes", messages=0)
        rows = log(given, book=self.book, scheduled=self._scheduled, knobs=knobs)
        self._logged_at_s[user] = now_s
        # Row by row in a thread: a long log must not stop the sends.
        shown = await asyncio.to_thread(_shown, rows)
        if shown == b"[]" and knobs.getlog_nothing == 409:  # noqa: PLR2004 - the HTTP status
            raise RefusalError(409, "there is nothing to show", messages=0)
        return Response(shown, media_type="application/json")

    def _delete(self, user: str, *, reference: str) -> Response:
        if not reference:
            raise RefusalError(400, "the parameter reference is missing", messages=0)
        cancelled = self._scheduled.cancel((user, reference), ahead_s=_CANCEL_AHEAD_S)
        if not cancelled and self.knobs.delete_nothing == 409:  # noqa: PLR2004 - the HTTP status
            raise RefusalError(409, "there is nothing to delete", messages=0)
        self.book.counts["cancelled"] += len(cancelled)
        self._credit.give_back(user, sum(waiting.cost for waiting in cancelled))
        name = "Success" if self.knobs.has_old_names else "success"
        return JsonReply({name: f"SMS with reference {reference} deleted"})


def _shown(rows: Iterator[bytes]) -> bytes:
    return b"[" + b",".join(rows) + b"]"
