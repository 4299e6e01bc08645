"""What can be set of Txty API v4: everything that its documentation leaves open."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field
from pydantic.dataclasses import dataclass

from worker.sandbox.endings import State
from worker.sandbox.knobs import STRICT
from worker.sandbox.txty import TxtyKnobs

_COPENHAGEN = ZoneInfo("Europe/Copenhagen")
_DELIVERED = 150

Status = Annotated[int, Field(ge=1, le=255)]


@dataclass(config=STRICT, kw_only=True)
class TxtyV4Knobs(TxtyKnobs):
    """The knobs of Txty v4 beside those of both generations."""

    error_status: Annotated[int, Field(ge=200, le=599)] = 200  # HTTP, of errors
    refusals: Literal["v6", "plain"] = "v6"  # what no document names is called as in v6, or REFUSED
    group_reply: Literal["one", "list"] = "one"  # `sms` of the answer to a group: an object, or one each
    has_dialcode: bool = True  # in the answer to a send, where the vendor's PHP example reads it
    clock: Literal["utc", "copenhagen"] = "utc"  # times are Unix times, or count from Danish local time
    two_factor: bool = False  # a new key wants a `tfkey`, any but 0000
    account_callback: str = ""  # is called beside the one of each request
    dlr_attempts: Annotated[int, Field(ge=1, le=25)] = 25
    dlr_retry_ms: Annotated[float, Field(ge=0)] = 3_600_000
    failed_status: Status = 22
    expired_status: Status = 99
    outbox_rows: Annotated[int, Field(ge=0)] = 1000  # the newest
    search_in: Literal["any", "number", "text"] = "any"  # of the outbox
    scheduled_sent: Literal["left", "asked"] = "left"  # `sent` of what was given a time

    def written_s(self, at_s: float) -> int:
        """Return a Unix time as it is written."""
        return int(at_s) + self._offset_s(at_s)

    def read_s(self, written_s: int) -> int:
        """Return the Unix time of one that was written."""
        return written_s - self._offset_s(written_s - self._offset_s(written_s))

    def _offset_s(self, at_s: float) -> int:
        if self.clock == "utc":
            return 0
        offset = datetime.fromtimestamp(at_s, UTC).astimezone(_COPENHAGEN).utcoffset()
        return int((offset or timedelta()).total_seconds())

    def status_of(self, state: State) -> int:
        """Return the number of a state; buffered has none."""
        numbers: dict[State, int] = {
            "delivered": _DELIVERED,
            "failed": self.failed_status,
            "abandoned": self.expired_status,
        }
        return numbers.get(state, 0)
