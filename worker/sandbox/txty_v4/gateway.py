"""Txty API v4 simulated: sms, outbox, prices, groups, contacts, keys, in JSON or XML, and callbacks.

Source: the vendor's documentation of v4 and its PHP class; what no document says is a knob. Keyword purchase
is left out, and so are incoming messages: the inbox is empty.
"""

import asyncio
import secrets
import time
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlencode

from starlette.responses import Response

from worker.sandbox import txty
from worker.sandbox.credit import Credit
from worker.sandbox.endings import fate_of, turns_of
from worker.sandbox.gateway import REFUSED_USER, Call, Gateway, RefusalError
from worker.sandbox.knobs import Knobs
from worker.sandbox.receipts import Receipt, Receipts, is_loopback
from worker.sandbox.txty import Refused, TxtyError
from worker.sandbox.txty_v4.contacts import Contacts
from worker.sandbox.txty_v4.knobs import TxtyV4Knobs
from worker.sandbox.txty_v4.outbox import FIRST_ID, PLAIN, Extras, outbox
from worker.sandbox.txty_v4.replies import RefusedXml, written
from worker.sandbox.txty_v4.request import Asked, asked_of, named, resource, user_name
from worker.sandbox.txty_v4.views import view

_METHODS = ("GET", "POST")
_FILES = {"api.json", "api.xml", "login.json", "login.xml"}
_KEY_BYTES = 8


class TxtyV4(Gateway):
    """Txty v4; a query or a form in, JSON or XML out."""

    name: ClassVar[str] = "txty_v4"
    prefix: ClassVar[str] = "/txty-v4"
    methods: ClassVar[tuple[str, ...]] = _METHODS
    make_knobs: ClassVar[type[Knobs]] = TxtyV4Knobs
    knobs: TxtyV4Knobs

    def __init__(self) -> None:
        self._receipts = Receipts({})
        super().__init__()

    def reset(self) -> None:
        """Forget everything, contacts and outstanding callbacks too."""
        super().reset()
        self._receipts.stop()
        self._receipts = Receipts(self.book.receipts)
        self._credit = Credit()
        self._contacts = Contacts()
        self._extras: dict[int, Extras] = {}
        self._n_keys = 0

    def sends(self, call: Call) -> bool:
        """Say whether the call asks to send."""
        return call.method in _METHODS and resource(call) == ("sms",)

    def messages(self, call: Call) -> int:
        """Count the numbers that the call names, good or bad, or that are in its group."""
        return len(self._numbers(txty.parameters(call)))

    def accepts(self, answer: Response) -> bool:
        """Look at the word: a refusal may have the status of a success."""
        return super().accepts(answer) and not isinstance(answer, Refused | RefusedXml)

    async def answer(self, call: Call) -> Response:
        """Do what the call asks."""
        is_xml = call.path[-1].endswith(".xml")
        try:
            content = await self._do(call)
        except RefusalError as error:
            return self._refused(error, is_xml=is_xml)
        return written({"status": "success"} | content, is_xml=is_xml)

    def refusal(self, error: RefusalError) -> Response:
        """Answer with the error object of v4."""
        return self._refused(error, is_xml=False)

    def _refused(self, error: RefusalError, *, is_xml: bool) -> Response:
        self.book.counts["refused"] += error.messages
        if isinstance(error, TxtyError):
            code, about, status = error.code, error.about, self.knobs.error_status
        else:
            code = "INTERNAL_ERROR" if error.status >= 500 else error.text.upper().replace(" ", "_")  # noqa: PLR2004 - 5xx
            about, status = {}, error.status
        content = {"status": "error", "error": code, **about}
        return written(content, is_xml=is_xml, status=status, pause_s=error.retry_after_s)

    async def _do(self, call: Call) -> dict[str, Any]:
        path, given = resource(call), txty.parameters(call)
        if call.method not in _METHODS or call.path[-1] not in _FILES:
            raise RefusalError(404, "not found", messages=0)
        if path == ("user", "newapikey"):
            return self._new_key(given)
        if path == ("sms",):
            return self._send(user_name(given, messages=1), given=given)
        user = user_name(given)
        if path == ("view", "outbox"):
            # In a thread: a long outbox must not stop the sends.
            return await asyncio.to_thread(self._outbox, user, given.get("search", ""))
        if path in self._contacts.calls:
            return self._contacts.calls[path](given)
        left = self._credit.left(user, knobs=self.knobs)
        return view(path, user=user, left=left, given=given, knobs=self.knobs)

    # --- send

    def _send(self, user: str, *, given: Mapping[str, str]) -> dict[str, Any]:
        try:
            message = asked_of(given, numbers=self._numbers(given), knobs=self.knobs)
            costs = self._costs(user, asked=message)
        except TxtyError as error:
            raise named(error, given=given, knobs=self.knobs) from None
        self.keep_rate(user, messages=len(costs), parts=len(costs) * message.parts)
        self.book.counts["refused"] += message.n_refused
        self._credit.take(user, sum(costs))
        places = [self._accept(number, asked=message) for number in message.numbers]
        if not all((fate := fate_of(number)) is None or fate.is_named for number in message.numbers):
            raise RefusalError(500, "server fault, try later", messages=0)
        sent = [
            self._sent(number, place=place, cost=cost, asked=message)
            for number, place, cost in zip(message.numbers, places, costs, strict=True)
        ]
        return {"success": "SMS_SENT", "sms": self._together(sent, is_group="group" in given)}

    def _costs(self, user: str, *, asked: Asked) -> list[float]:
        costs = [txty.price(number, parts=asked.parts) for number in asked.numbers]
        if sum(costs) > self._credit.left(user, knobs=self.knobs):
            raise TxtyError("CANNOT_AFFORD", "", messages=len(costs))
        return costs

    def _numbers(self, given: Mapping[str, str]) -> list[str]:
        kept = self._contacts.numbers(given)
        if kept is not None:
            return kept
        number = given.get("msisdn", "").strip().removeprefix("+")
        return [number] if number else []

    def _accept(self, number: str, *, asked: Asked) -> int:
        place = self.book.accept(
            msisdn=f"+{number}", text=asked.text, sender=asked.sender, reference="", parts=asked.parts
        )
        if asked.extras != PLAIN:
            self._extras[place] = asked.extras
        for callback in (asked.callback, self.knobs.account_callback):
            if callback:
                self._report(number, place=place, callback=callback, scheduled_s=asked.extras.scheduled_s)
        return place

    def _sent(self, number: str, *, place: int, cost: float, asked: Asked) -> dict[str, Any]:
        sent: dict[str, Any] = {
            "smsid": FIRST_ID + place,
            "cost": cost,
            "chars-count": len(asked.text),
            "msg-count": asked.parts,
        }
        return sent | {"dialcode": txty.divided(number)[0]} if self.knobs.has_dialcode else sent

    def _together(self, sent: list[dict[str, Any]], *, is_group: bool) -> object:
        if is_group and self.knobs.group_reply == "list":
            return sent
        sums = {"cost": round(sum(each["cost"] for each in sent), 2)}
        return sent[0] | sums | {"msg-count": sum(each["msg-count"] for each in sent)}

    def _report(self, number: str, *, place: int, callback: str, scheduled_s: int) -> None:
        knobs = self.knobs
        if not is_loopback(callback):
            self.book.receipts["ignored"] += 1
            return
        now_s = time.time()
        dialcode, national = txty.divided(number)
        for turn in turns_of(number, knobs=knobs):
            status = knobs.status_of(turn.state)
            if not status:  # v4 has none for what is on its way
                continue
            due_s = max(now_s, scheduled_s) + turn.after_s
            fields = {
                "msisdn": number,
                "dialcode": dialcode,
                "number": national,
                "status": status,
                "timestamp": knobs.written_s(now_s),
                "delivered": knobs.written_s(due_s) if turn.state == "delivered" else 0,
                "smsid": FIRST_ID + place,
            }
            receipt = Receipt(
                due_s=due_s,
                method="GET",
                url=f"{callback}{'&' if '?' in callback else '?'}{urlencode(fields)}",
                attempts=knobs.dlr_attempts,
                retry_s=knobs.dlr_retry_ms / 1000,
            )
            self._receipts.push(receipt)

    # --- what is shown

    def _outbox(self, user: str, search: str) -> dict[str, Any]:
        rows = outbox(
            self.book.lines(), extras=dict(self._extras), search=search, user=user, knobs=self.knobs
        )
        return {"success": "VIEW_OUTBOX", "outbox": rows}

    def _new_key(self, given: Mapping[str, str]) -> dict[str, Any]:
        user, password, tfkey = (given.get(name) for name in ("user", "pass", "tfkey"))
        if not user or not password or user == REFUSED_USER or tfkey == "0000":
            login = {"user": user, "pass": password}
            raise TxtyError("USER_NOT_FOUND", "", messages=0, login=login)
        if self.knobs.two_factor and not tfkey:
            return {"success": "ADDED_TF"}
        self._n_keys += 1
        key = {"controlapikey": self._n_keys, "key": secrets.token_urlsafe(_KEY_BYTES)[:10]}
        return {"success": "ADDED_KEY", "newapikey": key}
