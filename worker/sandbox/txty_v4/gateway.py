"""Txty API v4 simulated: sms, outbox, prices, groups, contacts, keys, in JSON or XML, and callbacks.

Source: the vendor's documentation of v4 and its PHP class; what no document says is a knob. Keyword purchase
is left out, and so are incoming messages: the inbox is empty.
"""

import asyncio
import secrets
import time
from collections.abc import Mapping
from typing import Any, ClassVar

from starlette.responses import Response

from worker.sandbox import txty
from worker.sandbox.credit import Credit
from worker.sandbox.endings import fate_of
from worker.sandbox.gateway import REFUSED_USER, Call, Gateway, RefusalError
from worker.sandbox.knobs import Knobs
from worker.sandbox.receipts import Receipts, is_loopback
from worker.sandbox.txty import Refused, TxtyError
from worker.sandbox.txty_v4.callbacks import calls_of
from worker.sandbox.txty_v4.contacts import Contacts
from worker.sandbox.txty_v4.knobs import TxtyV4Knobs
from worker.sandbox.txty_v4.outbox import FIRST_ID, PLAIN, Extras, outbox
from worker.sandbox.txty_v4.replies import RefusedXml, sent_reply, written
from worker.sandbox.txty_v4.request import Asked, asked_of, named, resource, user_name
from worker.sandbox.txty_v4.views import view

_METHODS = ("GET", "POST")
_FILES = {"api.json", "api.xml", "login.json", "login.xml"}
_SMS = ("sms",)
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
        return call.method in _METHODS and resource(call.path) == _SMS

    def messages(self, call: Call) -> int:
        """Count the numbers that the call names, good or bad, or that are in its group."""
        return len(self._numbers(txty.parameters(call)))

    def accepts(self, answer: Response) -> bool:
        """Look at the word: a refusal may have the status of a success."""
        return super().accepts(answer) and not isinstance(answer, Refused | RefusedXml)

    def send(self, call: Call) -> Response:
        """Send what the call asks."""
        is_xml, given = call.path[-1].endswith(".xml"), txty.parameters(call)
        try:
            _check_file(call)
            return sent_reply(self._send(user_name(given, messages=1), given=given), is_xml=is_xml)
        except RefusalError as error:
            return self._refused(error, is_xml=is_xml)

    async def answer(self, call: Call) -> Response:
        """Do what any other call asks."""
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
        path, given = resource(call.path), txty.parameters(call)
        _check_file(call)
        if path == ("user", "newapikey"):
            return self._new_key(given)
        user = user_name(given)
        if path == ("view", "outbox"):
            # In a thread: a long outbox must not stop the sends.
            return await asyncio.to_thread(self._outbox, user, given.get("search", ""))
        if path in self._contacts.calls:
            return self._contacts.calls[path](given)
        left = self._credit.left(user, knobs=self.knobs)
        return view(path, user=user, left=left, given=given, knobs=self.knobs)

    # --- send

    def _send(self, user: str, *, given: Mapping[str, str]) -> str:
        """Send, and return what the answer says of it, in JSON."""
        try:
            message = asked_of(given, numbers=self._numbers(given), knobs=self.knobs)
            costs = [txty.price(number, parts=message.parts) for number in message.numbers]
            cost = self._affordable(user, costs=costs)
        except TxtyError as error:
            raise named(error, given=given, knobs=self.knobs) from None
        self.keep_rate(user, messages=len(costs), parts=len(costs) * message.parts)
        self.book.counts["refused"] += message.n_refused
        self._credit.take(user, cost)
        places = [self._accept(number, asked=message) for number in message.numbers]
        for number in message.numbers:
            fate = fate_of(number)
            if fate and not fate.is_named:
                raise RefusalError(500, "server fault, try later", messages=0)
        if "group" in given and self.knobs.group_reply == "list":
            items = [
                self._item(number, place=place, cost=each, asked=message)
                for number, place, each in zip(message.numbers, places, costs, strict=True)
            ]
            return f"[{','.join(items)}]"
        return self._item(message.numbers[0], place=places[0], cost=cost, asked=message, n=len(places))

    def _affordable(self, user: str, *, costs: list[float]) -> float:
        cost = round(sum(costs), 2)
        if cost > self._credit.left(user, knobs=self.knobs):
            raise TxtyError("CANNOT_AFFORD", "", messages=len(costs))
        return cost

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
        if asked.extras is not PLAIN:
            self._extras[place] = asked.extras
        for callback in (asked.callback, self.knobs.account_callback):
            if callback and is_loopback(callback):
                leaves_at_s = max(time.time(), asked.extras.scheduled_s)
                calls = calls_of(number, place=place, base_url=callback, at_s=leaves_at_s, knobs=self.knobs)
                for each in calls:
                    self._receipts.push(each)
            elif callback:
                self.book.receipts["ignored"] += 1
        return place

    def _item(self, number: str, *, place: int, cost: float, asked: Asked, n: int = 1) -> str:
        """Write what the answer says of one message, or of `n` together: JSON by hand, as of each send."""
        dialcode = f',"dialcode":{txty.dialcode_of(number)}' if self.knobs.has_dialcode else ""
        counts = f'"chars-count":{len(asked.text)},"msg-count":{n * asked.parts}'
        return f'{{"smsid":{FIRST_ID + place},"cost":{cost},{counts}{dialcode}}}'

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


def _check_file(call: Call) -> None:
    if call.method not in _METHODS or call.path[-1] not in _FILES:
        raise RefusalError(404, "not found", messages=0)
