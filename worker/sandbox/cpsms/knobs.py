"""The knobs of CPSMS v2: what its documents leave open, and its words for what becomes of a message."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from worker.sandbox.endings import State
from worker.sandbox.knobs import STRICT, Knobs


@dataclass(config=STRICT, kw_only=True)
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
    getlog_nothing: Literal[200, 409] = 200  # the answer when the log has nothing of what was asked for
    delete_nothing: Literal[200, 409] = 409  # the answer when there is nothing to delete
    credit_stops: Literal["before", "within"] = "before"  # within: as many are accepted as can be paid
    default_sender: str = "CPSMS"  # of the account; empty: `from` must be given
    refuse_ip: bool = False  # the address that calls is not on the account's list: 403

    @property
    def has_old_names(self) -> bool:
        """Whether the replies have the names of 2016."""
        return self.generation != "2017"

    @property
    def dlr_numbers(self) -> Mapping[State, int]:
        """What a report says, as a number."""
        return _DLR_NUMBERS[self.dlr_codes]


_DLR_NUMBERS: Mapping[str, Mapping[State, int]] = {  # 2016: the vendor's text; 2020: the clients in use since
    "2016": {"delivered": 1, "failed": 2, "buffered": 3, "abandoned": 4},
    "2020": {"delivered": 1, "failed": 2, "buffered": 4, "abandoned": 8},
}
DLR_TEXTS: Mapping[State, str] = {
    "delivered": "Received",
    "failed": "Failed",
    "buffered": "Buffered",
    "abandoned": "Abandoned",
}
"""As the log shows them."""


def points(number: str, *, parts: int) -> float:
    """Return the price of a message to that number (digits)."""
    return parts if number.startswith("45") else round(1.6 * parts, 2)
