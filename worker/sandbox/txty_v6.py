"""Txty SMS v6 simulated: its one call, `GET /v6/sms`.

Source: the vendor's documentation of 2021-10-14; what no document says is a knob.
"""

import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field
from starlette.responses import Response

from worker.sandbox import txty
from worker.sandbox.basic import basic_login
from worker.sandbox.credit import Credit
from worker.sandbox.endings import fate_of
from worker.sandbox.gateway import REFUSED_USER, Call, Gateway, JsonReply, RefusalError
from worker.sandbox.knobs import Knobs
from worker.sandbox.txty import Refused, TxtyError, TxtyKnobs

_SENDS = ("GET", ("v6", "sms"))
_CODES = {401: "", 500: "INTERNAL_ERROR", 501: "METHOD_NOT_IMPLEMENTED"}  # of what has no code of its own
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+ -]\d\d:\d\d)", re.ASCII)
_FLAGS = ("premium", "flash", "silent")
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


class TxtyV6Knobs(TxtyKnobs):
    """The knobs of Txty v6 beside those of both generations."""

    login: Literal["any", "query", "basic"] = "any"
    unauthorized_body: Literal["none", "error"] = "none"  # of a 401
    error_status: Annotated[int, Field(ge=200, le=599)] = 400  # of errors that the request is to blame for
    afford_status: Annotated[int, Field(ge=200, le=599)] = 400
    arrays: Literal["full", "empty", "null"] = "full"  # recipient, message and settings of an answer
    max_reference: Annotated[int, Field(ge=1)] = 64


@dataclass(kw_only=True, slots=True, eq=False)  # frozen, it would take twice as long to make
class _Asked:
    """One message that is to be sent."""

    number: str
    sender: str
    text: str
    parts: int
    reference: str
    flags: dict[str, bool]
    scheduled: str  # as given


class TxtyV6(Gateway):
    """Txty v6; everything in the query, JSON out."""

    name: ClassVar[str] = "txty_v6"
    prefix: ClassVar[str] = "/txty-v6"
    methods: ClassVar[tuple[str, ...]] = ("GET",)
    make_knobs: ClassVar[type[Knobs]] = TxtyV6Knobs
    knobs: TxtyV6Knobs

    def reset(self) -> None:
        """Forget everything, what was spent too."""
        super().reset()
        self._credit = Credit()

    def sends(self, call: Call) -> bool:
        """Say whether the call is the one that sends."""
        return (call.method, call.path) == _SENDS

    def messages(self, call: Call) -> int:
        """Count the number that the call names, good or bad."""
        return int("msisdn" in txty.form(call.query))

    def accepts(self, answer: Response) -> bool:
        """Look at the error: a refusal may have the status of a success."""
        return super().accepts(answer) and not isinstance(answer, Refused)

    async def answer(self, call: Call) -> Response:
        """Do what the call asks."""
        try:
            if not self.sends(call):
                raise TxtyError("METHOD_NOT_IMPLEMENTED", "there is no such method", status=501, messages=0)
            given = txty.form(call.query)
            return self._send(self._user(call, given=given), asked=_asked(given, knobs=self.knobs))
        except RefusalError as error:
            return self.refusal(error)

    def refusal(self, error: RefusalError) -> Response:
        """Answer with the error object of v6; a 401 has none."""
        self.book.counts["refused"] += error.messages
        headers = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
        if isinstance(error, TxtyError):
            code, status = error.code, error.status
        else:
            code, status = _CODES.get(error.status, "BAD_REQUEST"), error.status
        if status == 401 and self.knobs.unauthorized_body == "none":  # noqa: PLR2004 - the HTTP status
            return Response(status_code=status, media_type="application/json")
        if status == 400:  # noqa: PLR2004 - as above; the status of each code is not documented
            status = self.knobs.afford_status if code == "CANNOT_AFFORD" else self.knobs.error_status
        return Refused({"error": code, "message": error.text}, status_code=status, headers=headers)

    def _user(self, call: Call, *, given: Mapping[str, str]) -> str:
        user, secret = given.get("username", ""), given.get("token", "")
        if self.knobs.login == "basic" or not ((user and secret) or self.knobs.login == "query"):
            user, secret = basic_login(call.headers.get("authorization", ""))
        if not user or not secret or user == REFUSED_USER:
            raise TxtyError("BAD_REQUEST", "authentication is missing or invalid", status=401)
        return user

    def _send(self, user: str, *, asked: _Asked) -> Response:
        price = txty.price(asked.number, parts=asked.parts)
        if price > self._credit.left(user, knobs=self.knobs):
            raise TxtyError("CANNOT_AFFORD", "there is not enough credit")
        self.keep_rate(user, messages=1, parts=asked.parts)
        self.book.accept(
            msisdn=f"+{asked.number}",
            text=asked.text,
            sender=asked.sender,
            reference=asked.reference,
            parts=asked.parts,
        )
        self._credit.take(user, price)
        fate = fate_of(asked.number)
        if fate and not fate.is_named:
            raise RefusalError(500, "server fault, try later", messages=0)
        return JsonReply({"guid": str(uuid.uuid4())} | self._echo(asked, price=price))

    def _echo(self, asked: _Asked, *, price: float) -> dict[str, Any]:
        dialcode, national = txty.divided(asked.number)
        arrays: dict[str, Any] = {
            "recipient": [{"msisdn": int(asked.number), "dialcode": dialcode, "number": national}],
            "message": [
                {
                    "sender": asked.sender,
                    "price": price,
                    "characters": len(asked.text),
                    "message_count": asked.parts,
                    "text": asked.text,
                    "reference": asked.reference or None,
                }
            ],
            "settings": [asked.flags | {"scheduled_to": asked.scheduled or None}],
        }
        if self.knobs.arrays == "full":
            return arrays
        return dict.fromkeys(arrays, [] if self.knobs.arrays == "empty" else None)


def _asked(given: Mapping[str, str], *, knobs: TxtyV6Knobs) -> _Asked:
    number, sender, text = (given.get(name, "") for name in ("msisdn", "sender", "text"))
    txty.check_number(number, knobs=knobs)
    txty.check_sender(sender, knobs=knobs)
    parts = txty.parts_of(text, knobs=knobs)
    scheduled = _scheduled(given.get("settings_scheduled", ""), knobs=knobs)
    reference = given.get("custom_reference", "")
    if len(reference) > knobs.max_reference:
        raise TxtyError("REFERENCE_LONG", "the reference is too long")
    return _Asked(
        number=number,
        sender=sender,
        text=text,
        parts=parts,
        reference=reference,
        flags={name: _boolean(given.get(f"settings_{name}", "false")) for name in _FLAGS},
        scheduled=scheduled,
    )


def _boolean(value: str) -> bool:
    found = _BOOLEANS.get(value.lower())
    if found is None:
        raise TxtyError("BAD_REQUEST", "a setting is neither true nor false")
    return found


def _scheduled(value: str, *, knobs: TxtyV6Knobs) -> str:
    if not value:
        return ""
    if not _DATE_TIME.fullmatch(value):
        raise TxtyError("SCHEDULED_INVALID", "the time is no date-time")
    written = value[:-6] + value[-6:].replace(" ", "+")  # a plus that was not encoded
    try:
        at_s = datetime.fromisoformat(written.upper()).timestamp()
    except ValueError:
        raise TxtyError("SCHEDULED_INVALID", "there is no such time") from None
    if knobs.refuse_past and at_s < time.time():
        raise TxtyError("SCHEDULED_INVALID", "the time has passed")
    return written
