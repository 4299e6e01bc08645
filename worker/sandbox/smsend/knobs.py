"""The knobs of the smSend family: what no document says, and in what its brands differ."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from worker.sandbox.knobs import STRICT, Knobs, Seconds

# Of all brands: smSend, Mobyt and Esendex; Skebby and TextAnywhere; smsenvoi.
_TYPES = ["N", "L", "LL", "GP", "TI", "SI", "EE", "AD", "PRM", "MND"]


@dataclass(config=STRICT, kw_only=True)
class SmsendKnobs(Knobs):
    """The knobs beside the common ones."""

    max_recipients: Annotated[int, Field(ge=1)] = 10_000  # of one list
    login_error: Literal[401, 404] = 404  # newer brands: 401
    session_s: Seconds = 300  # without a call
    duplicate_order: Literal["refuse", "accept"] = "refuse"
    param_status: Literal[200, 201] = 201  # of paramsms: documented is 200, clients in use want 201
    param_list: bool = True  # `recipients` may be a list as well as a map
    expands_values: bool = False  # a placeholder in the value of a parameter is replaced too
    group_status: Literal[200, 201] = 200
    order_delay_s: Seconds = 0  # until GET sms/{order_id} knows an order
    error_body: Literal["both", "result", "error_message", "message", "text"] = "both"
    zone: str = "Europe/Rome"  # of times without a zone, and of delivery dates
    types: list[str] = Field(default_factory=lambda: [*_TYPES])
    low_quality: list[str] = Field(default_factory=lambda: ["LL"])  # 160 characters
    no_alias: list[str] = Field(default_factory=lambda: ["LL", "SI"])  # the sender must be empty
    no_report: list[str] = Field(default_factory=lambda: ["L", "LL", "TI", "SI", "MND"])
    truncates: bool = True  # where the request says nothing
    needs_plus: bool = False  # a number without plus or two zeros is a bad number
    push_url: str = ""  # of delivery reports, as it is set in the web panel; empty: none are pushed
