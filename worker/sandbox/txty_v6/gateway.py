"""Txty SMS v6 simulated: its one call, `GET /v6/sms`.

Source: the vendor's documentation of 2021-10-14; what no document says is a knob.
"""

from typing import ClassVar

from starlette.responses import Response

from worker.sandbox import txty
from worker.sandbox.credit import Credit
from worker.sandbox.endings import fate_of
from worker.sandbox.gateway import Call, Gateway, RefusalError, WrittenReply
from worker.sandbox.knobs import Knobs
from worker.sandbox.txty import Refused, TxtyError
from worker.sandbox.txty_v6.knobs import TxtyV6Knobs
from worker.sandbox.txty_v6.request import Asked, asked_of, user_name
from worker.sandbox.wire import new_guid, quoted

_PATH = ("v6", "sms")
_CODES = {401: "", 500: "INTERNAL_ERROR", 501: "METHOD_NOT_IMPLEMENTED"}  # of what has no code of its own
_WITHOUT = {"empty": '"recipient":[],"message":[],"settings":[]'}
_WITHOUT["null"] = _WITHOUT["empty"].replace("[]", "null")


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
        return call.method == "GET" and call.path == _PATH

    def messages(self, call: Call) -> int:
        """Count the number that the call names, good or bad."""
        return int("msisdn" in txty.parameters(call))

    def accepts(self, answer: Response) -> bool:
        """Look at the error: a refusal may have the status of a success."""
        return super().accepts(answer) and not isinstance(answer, Refused)

    def send(self, call: Call) -> Response:
        """Send what the call asks."""
        given = txty.parameters(call)
        try:
            user = user_name(call, given=given, knobs=self.knobs)
            return self._send(user, asked=asked_of(given, knobs=self.knobs))
        except RefusalError as error:
            return self.refusal(error)

    async def answer(self, _call: Call) -> Response:
        """Refuse any other call, as there is none."""
        error = TxtyError("METHOD_NOT_IMPLEMENTED", "there is no such method", status=501, messages=0)
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

    def _send(self, user: str, *, asked: Asked) -> Response:
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
        return WrittenReply(f'{{"guid":"{new_guid()}",{self._echo(asked, price=price)}}}')

    def _echo(self, asked: Asked, *, price: float) -> str:
        """Write the members of the answer that repeat what was asked: JSON by hand, as in each answer."""
        if self.knobs.arrays != "full":
            return _WITHOUT[self.knobs.arrays]
        dialcode, national = txty.divided(asked.number)
        reference = quoted(asked.reference) if asked.reference else "null"
        scheduled = quoted(asked.scheduled) if asked.scheduled else "null"
        return (
            f'"recipient":[{{"msisdn":{int(asked.number)},"dialcode":{dialcode},"number":{national}}}],'
            f'"message":[{{"sender":{quoted(asked.sender)},"price":{price},"characters":{len(asked.text)},'
            f'"message_count":{asked.parts},"text":{quoted(asked.text)},"reference":{reference}}}],'
            f'"settings":[{{{asked.flags},"scheduled_to":{scheduled}}}]'
        )
