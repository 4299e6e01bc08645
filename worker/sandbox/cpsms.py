"""CPSMS.dk v2 simulated: send, sendgroup, simplesend, creditvalue, getlog, deletesms, groups, contacts.

Source: the vendor's documentation of 2016 and the shapes of later clients; what no document says is a knob.
"""

import asyncio
import json
import math
import time
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field
from starlette.responses import Response

from worker.sandbox.cpsms_contacts import CALLS as CONTACT_CALLS
from worker.sandbox.cpsms_contacts import Contacts
from worker.sandbox.cpsms_request import (
    Submission,
    number_fault,
    parameters,
    recipients,
    submission,
    unix_seconds,
    user_name,
)
from worker.sandbox.gateway import Call, Gateway, JsonReply, RefusalError, encoded
from worker.sandbox.knobs import Knobs
from worker.sandbox.receipts import Receipt, Receipts, is_loopback

_NO_CREDIT = "not enough points"
_CANCEL_AHEAD_S = 600
_LOG_BACK_S = 90 * 86400
_DLR_CODES = {  # 2016: the vendor's text; 2020: the clients in use since
    "2016": {"delivered": 1, "failed": 2, "buffered": 3, "abandoned": 4},
    "2020": {"delivered": 1, "failed": 2, "buffered": 4, "abandoned": 8},
}
_DLR_TEXTS = {"delivered": "Received", "failed": "Failed", "buffered": "Buffered", "abandoned": "Abandoned"}
# Calls that read their parameters from the path, in this order, when there is no JSON.
_PATHS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("POST", "send"): (),
    ("POST", "sendgroup"): (),
    ("GET", "simplesend"): ("to", "message", "from"),
    ("GET", "creditvalue"): (),
    ("GET", "getlog"): ("fromDate", "toDate", "to"),
    ("DELETE", "deletesms"): ("reference",),
    **CONTACT_CALLS,
}


class CpsmsKnobs(Knobs):
    """The knobs of CPSMS beside the common ones."""

    generation: Literal["draft", "2016", "2017"] = "2017"  # of the replies' shape
    multi_status: bool = True  # false: a partly accepted request is answered 200, not 207
    error_list: bool = False  # a whole refusal as a list of one error
    credit_format: Literal["danish", "plain", "integer"] = "danish"  # 9.843,40 | 9843.40 | 9843
    dlr_method: Literal["GET", "POST"] = "GET"
    dlr_codes: Literal["2016", "2020"] = "2020"
    getlog_interval_s: Annotated[float, Field(ge=0)] = 120
    getlog_error: Literal[409, 429] = 429
    delete_nothing: Literal[200, 409] = 409  # the answer when there is nothing to delete
    credit_stops: Literal["before", "within"] = "before"  # within: as many are accepted as can be paid


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
        self._spent = 0.0
        self._scheduled: dict[str, list[float]] = {}  # by reference: when each message is to leave
        self._deleted: set[str] = set()
        self._logged_at_s: dict[str, float] = {}

    def sends(self, call: Call) -> bool:
        """Say whether the call is one of the three that send."""
        return call.path[0] in {"send", "sendgroup", "simplesend"}

    def messages(self, call: Call) -> int:
        """Count the numbers that the call names, good or bad."""
        try:
            return len(recipients(self._with_group(parameters(call, names=_path_names(call)))))
        except RefusalError:
            return 0

    async def answer(self, call: Call) -> Response:
        """Do what the call asks."""
        try:
            user = user_name(call.headers.get("authorization", ""))
            given = parameters(call, names=_path_names(call))
            return await self._do(call.path[0], user=user, given=given)
        except RefusalError as error:
            return self.refusal(error)

    def refusal(self, error: RefusalError) -> Response:
        """Answer with the error object of CPSMS."""
        self.book.counts["refused"] += error.messages
        item = self._error(error.status, text=error.text)
        headers = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
        content = {"error": [item] if self.knobs.error_list else item}
        return JsonReply(content, status_code=error.status, headers=headers)

    async def _do(self, name: str, *, user: str, given: dict[str, Any]) -> Response:
        if name in {"send", "sendgroup", "simplesend"}:
            return self._send(user, given=given)
        if name == "creditvalue":
            return JsonReply({"credit": self._credit()})
        if name == "getlog":
            return await self._log(user, given=given)
        if name == "deletesms":
            return self._delete(str(given.get("reference", "")))
        return JsonReply(self._contacts.do(name, given=given, is_2016=self.knobs.generation != "2017"))

    def _error(self, code: int, *, text: str) -> dict[str, Any]:
        names = ("code", "message") if self.knobs.generation == "2017" else ("errorCode", "errMsg")
        return dict(zip(names, (code, text), strict=True))

    # --- send

    def _send(self, user: str, *, given: dict[str, Any]) -> Response:
        asked = submission(self._with_group(given), knobs=self.knobs)
        refuse = self.knobs.refuse_numbers
        faults = {number: number_fault(number, refused=refuse) for number in set(asked.recipients)}
        good = [number for number in asked.recipients if not faults[number]]
        bad = [number for number in asked.recipients if faults[number]]
        paid = self._paid(good, asked=asked)
        if paid:
            self.keep_rate(user, messages=len(paid), parts=len(paid) * asked.parts)
        accepted = [self._accept(number, asked=asked) for number in paid]
        refused = [self._error(400, text=faults[number]) | {"to": number} for number in bad]
        refused += [self._error(402, text=_NO_CREDIT) | {"to": number} for number in good[len(paid) :]]
        self.book.counts["refused"] += len(refused)
        return self._outcome(accepted, refused=refused)

    def _paid(self, good: list[str], *, asked: Submission) -> list[str]:
        """Return the first of the good numbers, as far as the credit goes.

        Raises:
            RefusalError: it goes not far enough for any, or not for all while only all or none are accepted.
        """
        spent = accumulate((_points(number, parts=asked.parts) for number in good), initial=self._spent)
        n_paid = sum(points <= self._limit_of_credit() for points in list(spent)[1:])
        if n_paid == len(good) or (n_paid and self.knobs.credit_stops == "within"):
            return good[:n_paid]
        raise RefusalError(402, _NO_CREDIT, messages=len(asked.recipients))

    def _limit_of_credit(self) -> float:
        if self.knobs.out_of_credit:
            return 0.0
        return math.inf if self.knobs.credit is None else self.knobs.credit

    def _with_group(self, given: dict[str, Any]) -> dict[str, Any]:
        return given | {"to": self._contacts.numbers(given["to_group"])} if "to_group" in given else given

    def _accept(self, number: str, *, asked: Submission) -> dict[str, Any]:
        self.book.accept(
            msisdn=f"+{number}",
            text=asked.text,
            sender=asked.sender,
            reference=asked.reference,
            parts=asked.parts,
        )
        points = _points(number, parts=asked.parts)
        self._spent += points
        if asked.reference and asked.send_at_s > time.time():
            self._scheduled.setdefault(asked.reference, []).append(asked.send_at_s)
        self._report(number, asked=asked)
        if self.knobs.generation == "draft":
            return {"to": number, "price": str(points), "countryCode": number[:2]}
        item = {"to": number, "cost": points}
        return item if self.knobs.generation == "2016" else item | {"smsAmount": asked.parts}

    def _report(self, number: str, *, asked: Submission) -> None:
        knobs = self.knobs
        if not asked.dlr_url or knobs.dlr_outcome == "none":
            return
        if not is_loopback(asked.dlr_url):
            self.book.receipts["ignored"] += 1
            return
        status = _DLR_CODES[knobs.dlr_codes][knobs.dlr_outcome]
        joint = "&" if "?" in asked.dlr_url else "?"
        url = f"{asked.dlr_url}{joint}status={status}&receiver={number}"
        due_s = max(time.time(), asked.send_at_s) + knobs.dlr_delay_ms / 1000
        self._receipts.push(Receipt(due_s=due_s, method=knobs.dlr_method, url=url))

    def _outcome(self, accepted: list[dict[str, Any]], *, refused: list[dict[str, Any]]) -> Response:
        success: list[Any] = [accepted] if self.knobs.generation == "draft" else accepted
        if not refused:
            return JsonReply({"success": success})
        if not accepted:
            is_one = len(refused) == 1 and not self.knobs.error_list
            return JsonReply({"error": refused[0] if is_one else refused}, status_code=400)
        status = 207 if self.knobs.multi_status else 200
        return JsonReply({"success": success, "error": refused}, status_code=status)

    # --- credit, log, delete

    def _credit(self) -> str:
        credit = 9843.4 if self.knobs.credit is None else self.knobs.credit - self._spent
        left = 0.0 if self.knobs.out_of_credit else max(credit, 0.0)
        if self.knobs.credit_format == "integer":
            return str(int(left))
        if self.knobs.credit_format == "plain":
            return f"{left:.2f}"
        return f"{left:,.2f}".translate({ord(","): ".", ord("."): ","})

    async def _log(self, user: str, *, given: dict[str, Any]) -> Response:
        now_s = time.time()
        knobs = self.knobs
        if now_s - self._logged_at_s.get(user, 0) < knobs.getlog_interval_s:
            raise RefusalError(knobs.getlog_error, "the log can be read once in 2 minutes", messages=0)
        self._logged_at_s[user] = now_s
        from_s = max(unix_seconds(given.get("fromDate", 0)), now_s - _LOG_BACK_S)
        to_s = unix_seconds(given.get("toDate", 0)) or now_s
        number = str(given.get("to", "")).removeprefix("+")
        rows = self._rows(self.book.lines(), number=number, now_s=now_s)
        wanted = (encoded(row) for row in rows if from_s <= row["timeSent"] <= to_s)
        # Row by row in a thread: a long log must not stop the sends.
        return Response(await asyncio.to_thread(_listed, wanted), media_type="application/json")

    def _rows(self, lines: Iterator[bytes], *, number: str, now_s: float) -> Iterator[dict[str, Any]]:
        wanted = f'"+{number}"'.encode() if number else b""
        for line in lines:
            if wanted in line:
                row = json.loads(line)
                send_at_s = max([row["time"], *self._scheduled.get(row["reference"], [])])
                if send_at_s <= now_s and row["reference"] not in self._deleted:
                    yield self._row(row, send_at_s=send_at_s, now_s=now_s)

    def _row(self, row: dict[str, Any], *, send_at_s: float, now_s: float) -> dict[str, Any]:
        knobs = self.knobs
        has_report = knobs.dlr_outcome != "none" and send_at_s + knobs.dlr_delay_ms / 1000 <= now_s
        number = row["msisdn"][1:]
        amount = {} if knobs.generation != "2017" else {"smsAmount": row["parts"]}
        return {
            "to": number,
            "from": row["sender"],
            **amount,
            "pointPrice": _points(number, parts=row["parts"]),
            "userReference": row["reference"] or None,
            "dlrStatus": _DLR_CODES[knobs.dlr_codes][knobs.dlr_outcome] if has_report else 0,
            "dlrStatusText": _DLR_TEXTS[knobs.dlr_outcome] if has_report else "",
            "timeSent": int(send_at_s),
        }

    def _delete(self, reference: str) -> Response:
        if not reference:
            raise RefusalError(400, "the parameter reference is missing", messages=0)
        soon_s = time.time() + _CANCEL_AHEAD_S
        times = self._scheduled.pop(reference, [])
        kept = [send_at_s for send_at_s in times if send_at_s <= soon_s]
        if kept:
            self._scheduled[reference] = kept
        n_deleted = len(times) - len(kept)
        if not n_deleted and self.knobs.delete_nothing == 409:  # noqa: PLR2004 - the HTTP status
            raise RefusalError(409, "there is nothing to delete", messages=0)
        self.book.counts["cancelled"] += n_deleted
        if n_deleted and not kept:
            self._deleted.add(reference)
        name = "success" if self.knobs.generation == "2017" else "Success"
        return JsonReply({name: f"SMS with reference {reference} deleted"})


def _path_names(call: Call) -> tuple[str, ...]:
    names = _PATHS.get((call.method, call.path[0]))
    if names is None:
        raise RefusalError(404, "the method is unknown")
    # getlog/<to> has one segment, and then it is the last of its names
    return names[-1:] if call.path[0] == "getlog" and len(call.path) == 2 else names  # noqa: PLR2004 - two segments


def _listed(rows: Iterator[bytes]) -> bytes:
    return b"[" + b",".join(rows) + b"]"


def _points(number: str, *, parts: int) -> float:
    return parts if number.startswith("45") else round(1.6 * parts, 2)
