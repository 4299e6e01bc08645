"""CPSMS v2: replies to ``deletesms``, and delivery reports in every style of joining them to an address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.contract.cases import ANNA, CancelCase, ReportCase, reply, says
from worker.gateways.base import Push, Report, Taken
from worker.states import MessageState

if TYPE_CHECKING:
    from collections.abc import Mapping

CANCELS = (
    CancelCase(name="of 2016", reply=says(200, {"Success": "SMS(s) deleted"}), taken=Taken.BACK),
    CancelCase(name="of later", reply=says(200, {"success": "SMS deleted"}), taken=Taken.BACK),
    CancelCase(
        name="nothing to delete",
        reply=says(409, {"error": {"code": 409, "message": "nothing matches"}}),
        taken=Taken.TOO_LATE,
    ),
    CancelCase(name="409 and no word", reply=reply(409), taken=Taken.TOO_LATE),
    CancelCase(
        name="an error under 200",
        reply=says(200, {"success": "", "error": {"code": 409, "message": "nothing matches"}}),
        taken=Taken.UNCLEAR,
    ),
    *(
        CancelCase(
            name=f"refused with {status}",
            reply=says(status, {"error": {"code": status, "message": "no"}}),
            taken=Taken.UNCLEAR,
        )
        for status in (400, 401, 402, 403, 404, 406, 429, 500, 503)
    ),
    *(
        CancelCase(name=f"success under {status}", reply=says(status, {"success": "ok"}), taken=Taken.UNCLEAR)
        for status in (201, 207, 302, 500)
    ),
    *(
        CancelCase(name=f"unreadable: {body!r}", reply=reply(200, body), taken=Taken.UNCLEAR)
        for body in (b"", b"OK", b"[]", b"{}", b'{"success": "o', b"<html>success</html>")
    ),
)

ACCEPTED, DELIVERED = MessageState.ACCEPTED, MessageState.DELIVERED
UNDELIVERED, EXPIRED = MessageState.UNDELIVERED, MessageState.EXPIRED
FIRST = Report(delivery=DELIVERED, msisdn=ANNA, code="1", detail="delivered")


def by_code(codes: Mapping[str, tuple[MessageState, str | None]]) -> tuple[ReportCase, ...]:
    return tuple(
        ReportCase(
            name=f"code {code} by {method}",
            push=Push(method=method, query=f"status={code}&receiver={ANNA[1:]}"),
            reports=(Report(delivery=delivery, msisdn=ANNA, code=code, detail=detail),),
        )
        for code, (delivery, detail) in codes.items()
        for method in ("GET", "POST")
    )


OF_BOTH: Mapping[str, tuple[MessageState, str | None]] = {
    "1": (DELIVERED, "delivered"),
    "2": (UNDELIVERED, "failed"),
    "3": (ACCEPTED, "buffered"),
    "0": (ACCEPTED, None),
    "5": (ACCEPTED, None),
    "16": (ACCEPTED, None),
}
OF_2020 = by_code({**OF_BOTH, "4": (ACCEPTED, "buffered"), "8": (EXPIRED, "abandoned")})
OF_2016 = by_code({**OF_BOTH, "4": (EXPIRED, "abandoned"), "8": (ACCEPTED, None)})

JOINED = tuple(
    ReportCase(name=f"joined as {query!r}", push=Push(method="GET", query=query), reports=(FIRST,))
    for query in (
        "receiver=4520304050&status=1",
        "own=7&status=1&receiver=4520304050",
        "own=7?status=1&receiver=4520304050",
        "?status=1&receiver=4520304050",
        "&status=1&receiver=4520304050",
        "own=7%26status=1%26receiver=4520304050",
        "own=7%3Fstatus=1&receiver=4520304050",
        "status=1&amp;receiver=4520304050",
        "status=1&receiver=%2B4520304050",
        "status=1&receiver=+4520304050",
        "status=1;receiver=4520304050",
        "status=1&receiver=4520304050&own=7",
        "status=2&receiver=4520304051&status=1&receiver=4520304050",
        "mystatus=2&status=1&receiver=4520304050",
        "status=1&receiver=4520304050%0A",
    )
)
NO_REPORTS = tuple(
    ReportCase(name=f"no report: {query[:40]!r}", push=Push(method="GET", query=query), reports=())
    for query in (
        "",
        "status=1",
        "receiver=4520304050",
        "status=&receiver=4520304050",
        "status=delivered&receiver=4520304050",
        "status=-1&receiver=4520304050",
        "status=99999&receiver=4520304050",
        "status=1&receiver=",
        "status=1&receiver=Anna",
        "status=1&receiver=4520",
        "status=1&receiver=" + "4" * 16,
        "status=\u0661&receiver=4520304050",
        "Status=1&Receiver=4520304050",
        "status=1receiver=4520304050",
        "x" * 5000 + "&status=1&receiver=4520304050",
    )
)
IN_THE_BODY = (
    ReportCase(
        name="values in the body only, which nobody documents",
        push=Push(
            method="POST",
            query="",
            headers={"content-type": "application/x-www-form-urlencoded"},
            body=b"status=1&receiver=4520304050",
        ),
        reports=(FIRST,),
    ),
    ReportCase(
        name="values in both places, of which the address counts",
        push=Push(method="POST", query="status=1&receiver=4520304050", body=b"status=2&receiver=4520304051"),
        reports=(FIRST,),
    ),
)

REPORTS = OF_2020 + JOINED + NO_REPORTS + IN_THE_BODY
REPORTS_2016 = OF_2016
