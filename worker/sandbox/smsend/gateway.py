"""smSend and its brothers simulated: login, sms, paramsms, smstogroups, states, history, status, groups.

Source: the vendor's documentation (smsend/REST-API, 2019-07) and clients of all brands; what no document
says is a knob.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import parse_qsl

from starlette.responses import PlainTextResponse, Response

from worker.sandbox.credit import Credit
from worker.sandbox.endings import State, fate_of
from worker.sandbox.gateway import Call, Gateway, JsonReply, RefusalError
from worker.sandbox.knobs import Knobs
from worker.sandbox.receipts import Receipts
from worker.sandbox.smsend.contacts import Contacts
from worker.sandbox.smsend.knobs import SmsendKnobs
from worker.sandbox.smsend.orders import Order, Orders, word_of
from worker.sandbox.smsend.replies import page_reply, push_url, refusal_reply, send_reply, status_reply
from worker.sandbox.smsend.request import given_by, ordered, rows_of
from worker.sandbox.smsend.sessions import Sessions, user_name
from worker.sandbox.smsend.time import written, zone_of

_SENDS = frozenset({("sms",), ("paramsms",), ("smstogroups",)})
_HISTORY_SIZE = 10


class Smsend(Gateway):
    """The REST API of the family: two keys in headers, JSON in, JSON or words out."""

    name: ClassVar[str] = "smsend"
    prefix: ClassVar[str] = "/smsend/API/v1.0/REST"
    make_knobs: ClassVar[type[Knobs]] = SmsendKnobs
    knobs: SmsendKnobs

    def __init__(self) -> None:
        self._receipts = Receipts({})
        super().__init__()

    def reset(self) -> None:
        """Forget everything, logins and outstanding reports too."""
        super().reset()
        self._sessions = Sessions()
        self._orders = Orders()
        self._contacts = Contacts()
        self._credit = Credit()
        self._receipts.stop()
        self._receipts = Receipts(self.book.receipts)

    def sends(self, call: Call) -> bool:
        """Say whether the call is one of the three that send."""
        return call.method == "POST" and call.path in _SENDS

    def messages(self, call: Call) -> int:
        """Count the recipients that the call names, good or bad."""
        try:
            return len(self._read(call)[1])
        except RefusalError:
            return 0

    def send(self, call: Call) -> Response:
        """Send what the call asks."""
        try:
            user = self._sessions.user(call, session_s=self.knobs.session_s)
            return self._send(call, user=user)
        except RefusalError as error:
            return self.refusal(error)

    async def answer(self, call: Call) -> Response:
        """Do what any other call asks."""
        try:
            if call.method == "GET" and call.path in {("login",), ("token",), ("checksession",)}:
                return self._enter(call)
            return self._do(call, user=self._sessions.user(call, session_s=self.knobs.session_s))
        except RefusalError as error:
            return self.refusal(error)

    def refusal(self, error: RefusalError) -> Response:
        """Answer with an error of the family."""
        self.book.counts["refused"] += error.messages
        return refusal_reply(error, knobs=self.knobs)

    def _enter(self, call: Call) -> Response:
        if call.path == ("checksession",):
            return self._check_session(call)
        user = user_name(call, knobs=self.knobs)
        begin = self._sessions.login if call.path == ("login",) else self._sessions.token
        return PlainTextResponse(begin(user))

    def _check_session(self, call: Call) -> Response:
        if call.header(b"user_key") is None:
            raise RefusalError(404, "user_key, Session_key or Access_token are not provided", messages=0)
        try:
            self._sessions.user(call, session_s=self.knobs.session_s, renews=False)
        except RefusalError:
            return PlainTextResponse("false")
        return PlainTextResponse("true")

    # --- send

    def _read(self, call: Call) -> tuple[dict[str, Any], list[Any]]:
        """Return the fields of a call that sends, and its recipients."""
        read: tuple[dict[str, Any], list[Any]] | None = call.notes
        if read is None:
            given = given_by(call.body)
            if call.path[0] == "smstogroups":
                given["recipient"] = self._contacts.numbers(given.get("recipient"))
            rows = rows_of(given, is_parametric=call.path[0] == "paramsms", knobs=self.knobs)
            read = call.notes = given, rows
        return read

    def _send(self, call: Call, *, user: str) -> Response:
        given, rows = self._read(call)
        kind, knobs = call.path[0], self.knobs
        try:
            order, texts = ordered(given, rows=rows, is_parametric=kind == "paramsms", user=user, knobs=knobs)
        except RefusalError as error:
            raise RefusalError(error.status, error.text, messages=len(rows)) from None
        if knobs.duplicate_order == "refuse" and self._orders.has(user, order.order_id):
            raise RefusalError(400, "the order_id is already in use", messages=len(rows))
        left = self._credit.left(user, knobs=knobs) - order.cost
        if left < 0:
            raise RefusalError(400, "not enough credit", messages=len(rows))
        n_good = len(order.numbers)
        self.keep_rate(user, messages=n_good, parts=order.cost)
        self.book.counts["refused"] += len(rows) - n_good
        self._accept(order, texts)
        for msisdn in order.numbers:
            fate = fate_of(msisdn)
            if fate and not fate.is_named:  # it answers for all or for none
                raise RefusalError(500, "server fault, try later", messages=0)
        return send_reply(kind, order=order, given=given, left=left, knobs=knobs)

    def _accept(self, order: Order, texts: Sequence[tuple[str, int]]) -> None:
        accept, sender, order_id = self.book.accept, order.sender, order.order_id
        for msisdn, (text, parts) in zip(order.numbers, texts, strict=True):
            accept(msisdn=msisdn, text=text, sender=sender, reference=order_id, parts=parts)
        self._credit.take(order.user, order.cost)
        self._orders.add(order)
        if self.knobs.push_url and order.message_type not in self.knobs.no_report:
            for msisdn in order.numbers:
                self._report(msisdn, order=order)

    def _report(self, msisdn: str, *, order: Order) -> None:
        knobs = self.knobs
        date = written(order.leaves_at_s + knobs.dlr_delay_ms / 1000, zone=zone_of(None, default=knobs.zone))

        def url_of(state: State) -> str:
            return push_url(
                knobs.push_url, date=date, order_id=order.order_id, status=word_of(state), msisdn=msisdn
            )

        self._receipts.report(
            msisdn,
            base_url=knobs.push_url,
            url_of=url_of,
            knobs=knobs,
            leaves_at_s=order.leaves_at_s,
            is_off=lambda: order.is_cancelled,
        )

    # --- what reads, and the cancelling

    def _do(self, call: Call, *, user: str) -> Response:
        given = dict(parse_qsl(call.query))
        match call.method, *call.path:
            case "GET", "sms", order_id:
                rows = self._orders.states(user, order_id=order_id, knobs=self.knobs)
                return JsonReply({"result": "OK", "recipient_number": len(rows), "recipients": rows})
            case "DELETE", "sms", order_id:
                return self._cancel(user, order_id)
            case "GET", "status":
                left = self._credit.left(user, knobs=self.knobs)
                return status_reply(given, left=left, knobs=self.knobs)
            case "GET", "smshistory":
                rows = self._orders.history(user, given=given, knobs=self.knobs)
                return page_reply("smshistory", rows=rows, given=given, size=_HISTORY_SIZE)
            case "GET", "rcptHistory":
                rows = self._orders.of_recipient(user, given=given, knobs=self.knobs)
                return page_reply("rcpthistory", rows=rows, given=given, size=_HISTORY_SIZE)
        return self._of_contacts(call, given=given)

    def _cancel(self, user: str, order_id: str) -> Response:
        gone = self._orders.cancel(user, order_id=None if order_id == "bulk" else order_id)
        if not gone and order_id != "bulk":
            raise RefusalError(404, "the order_id was not found, or is not scheduled", messages=0)
        for order in gone:
            self.book.counts["cancelled"] += len(order.numbers)
            self._credit.give_back(user, order.cost)
        return JsonReply({"result": "OK"})

    def _of_contacts(self, call: Call, *, given: Mapping[str, str]) -> Response:
        found = self._contacts.call(call.method, path=call.path)
        if found is None:
            raise RefusalError(404, "there is no such call", messages=0)
        do, idents = found
        return do(given_by(call.body) if call.body else given, *idents)
