"""How a submission is written for CPSMS v2: ``send`` and ``sendgroup``, in JSON.

Source: the vendor's documentation of 2016 (Compaya) and clients in use since 2020, read November 2026.
CPSMS removes characters that it cannot send without a word, so that a text with such is refused here.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING

from worker.errors import ConfigError
from worker.gateways.checks import check_flag, target
from worker.gateways.cpsms.shapes import digits
from worker.text import gsm7
from worker.text.segments import SINGLE, Encoding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.gateways.base import Submission

OPTIONS = frozenset({"flash", "encoding", "format"})

_FORMATS = {Encoding.GSM_7: "GSM", Encoding.UCS_2: "UNICODE"}
_CHARSETS = ("UTF-8", "ISO-8859-1")
_GROUP = re.compile(r"[1-9]\d{0,17}", re.ASCII)  # it is written as a number: 007 would be 7 once more

_not_gsm = re.compile(f"[^{re.escape(''.join(sorted(gsm7.BASIC | gsm7.EXTENSION)))}]").search
_no_character = re.compile("[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]").search  # in UCS-2


def written(submission: Submission) -> tuple[str, bytes]:
    """Give the call and the body.

    Raises:
        ConfigError: an option, the group or a character cannot be carried; the sentence names it.
    """
    kind, ident = target(submission.recipients[0])
    to = {"to_group": _group(ident)} if kind else {"to": _numbers(submission.recipients)}
    fields = to | _message(submission)
    return ("sendgroup" if kind else "send"), _encoded(fields, charset=_charset(submission))


def _group(ident: str) -> int:
    if not _GROUP.fullmatch(ident):
        message = (
            "gateway cpsms: recipient group: is followed by the number of a group, as in group:12345, "
            "without zeros before it"
        )
        raise ConfigError(message)
    return int(ident)


def _numbers(recipients: tuple[str, ...]) -> str | list[str]:
    numbers = [digits(msisdn) for msisdn in recipients]
    return numbers if len(numbers) > 1 else numbers[0]


def _message(submission: Submission) -> dict[str, object]:
    fields: dict[str, object] = {
        "message": submission.text,
        "from": digits(submission.sender),
        "reference": submission.reference,
    }
    if _format(submission) == "UNICODE":
        fields["format"] = "UNICODE"  # else GSM, its default
    if check_flag("flash", submission.options.get("flash", False)):
        fields["flash"] = 1
    if submission.leaves_at_s is not None:
        fields["timestamp"] = math.ceil(submission.leaves_at_s)
    if submission.dlr_url is not None:
        fields["dlr_url"] = submission.dlr_url
    return fields


def _format(submission: Submission) -> str:
    """Give GSM or UNICODE as the text was composed; an option may not change what it costs."""
    composed = _FORMATS[submission.encoding]
    wanted = _word("format", submission.options, known=tuple(_FORMATS.values())) or composed
    removed = (_not_gsm if wanted == "GSM" else _no_character)(submission.text)
    if removed and wanted == composed:
        message = (
            f"gateway cpsms: the text has U+{ord(removed[0]):04X}, which would be removed without a word"
        )
        raise ConfigError(message)
    if removed or (wanted != composed and len(submission.text) > SINGLE[Encoding.UCS_2]):
        message = (
            f"gateway cpsms: option format {wanted} does not fit the text, which was composed as {composed}"
        )
        raise ConfigError(message)
    return wanted


def _charset(submission: Submission) -> str:
    """Give the charset of the body."""
    charset = _word("encoding", submission.options, known=_CHARSETS) or _CHARSETS[0]
    if charset == "ISO-8859-1" and not _is_latin(submission.text + submission.sender):
        message = "gateway cpsms: option encoding ISO-8859-1 lacks a character of the text or the sender"
        raise ConfigError(message)
    return charset


def _is_latin(text: str) -> bool:
    return max(text, default="") <= "\xff"


def _word(name: str, options: Mapping[str, object], *, known: tuple[str, ...]) -> str | None:
    if name not in options:
        return None
    word = str(options[name]).upper()
    if word not in known:
        message = f"gateway cpsms: option {name} must be one of {', '.join(known)}"
        raise ConfigError(message)
    return word


def _encoded(fields: dict[str, object], *, charset: str) -> bytes:
    if charset == "UTF-8":  # its default, and JSON in ASCII is the same in every charset
        return json.dumps(fields).encode()
    return json.dumps(fields | {"encoding": charset}, ensure_ascii=False).encode(charset)
