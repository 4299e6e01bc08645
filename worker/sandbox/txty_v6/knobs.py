"""What can be set of Txty v6: everything that its documentation leaves open."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from worker.sandbox.knobs import STRICT
from worker.sandbox.txty import TxtyKnobs


@dataclass(config=STRICT, kw_only=True)
class TxtyV6Knobs(TxtyKnobs):
    """The knobs of Txty v6 beside those of both generations."""

    login: Literal["any", "query", "basic"] = "any"
    unauthorized_body: Literal["none", "error"] = "none"  # of a 401
    error_status: Annotated[int, Field(ge=200, le=599)] = 400  # of errors that the request is to blame for
    afford_status: Annotated[int, Field(ge=200, le=599)] = 400
    arrays: Literal["full", "empty", "null"] = "full"  # recipient, message and settings of an answer
    max_reference: Annotated[int, Field(ge=1)] = 64
