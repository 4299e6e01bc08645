"""What can be set of simulated Text Marketer: mostly what no document says."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from worker.sandbox.knobs import STRICT, Knobs, Seconds


@dataclass(config=STRICT, kw_only=True)
class TextmarketerKnobs(Knobs):
    """The knobs of Text Marketer beside the common ones."""

    dtd: str | None = None  # the address before /NAME.dtd; None: our own, by the Host header; "": no DOCTYPE
    owner: Literal["textmarketer.co.uk", "textmarketer.biz"] = "textmarketer.co.uk"  # in the public id
    plain_errors: bool = False  # answers other than 200 and 400 are plain text
    login_status: Literal[400, 403] = 403
    trailing_slash: bool = False  # true: an address may end in a slash
    bad_number: Literal["refuse", "skip"] = (
        "refuse"  # skip: the others are accepted, and nothing is said of it
    )
    international: bool = True  # false: a number outside the UK is refused with code 0
    non_uk: bool = False  # true: what becomes of a number outside the UK stays unknown
    failed_status: Literal["FAILED", "REJECTED"] = "FAILED"
    queued: bool = False  # the status is QUEUED, not SENT
    high_codes: bool = True  # 32 and 33 for validity and custom, not 11 and 12
    extension_units: Literal[1, 2] = 2  # what a character of the extension table counts
    report_delay_ms: Seconds = 0  # until a message has its row
    no_rows: Literal[200, 404] = 404  # the answer to a report without any
    read_limit: Annotated[int, Field(ge=1)] | None = None  # calls that read, for each user name
    read_window_s: Seconds = 900
    taken_keywords: list[str] = Field(default_factory=list)
    sub_accounts: bool = True  # the account may create others
