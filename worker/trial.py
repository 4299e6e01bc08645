"""Requests that are built on trial and never sent: what a gateway cannot carry is found beforehand."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from worker.errors import ConfigError
from worker.gateways.base import Submission
from worker.text.plain import is_plain
from worker.text.segments import Encoding
from worker.text.targets import kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.gateways.base import Adapter

_NUMBER = "+4520000000"

# What the five gateways call the things that a request is made of.
_BUILT = frozenset(
    {"to", "to_group", "msisdn", "recipient", "recipients", "group", "contact", "mobile_number"}
    | {"from", "sender", "originator", "message", "text", "encoding", "format", "truncate"}
    | {"reference", "custom_reference", "order_id", "custom", "callback", "dlr_url"}
    | {"timestamp", "schedule", "scheduled_to", "scheduled_delivery_time", "scheduled_delivery_timezone"}
)

_UCS_2 = Encoding.UCS_2  # quicker to look up, for every row


@dataclass(kw_only=True)
class Trial:
    """What all messages of an order share, tried with one message after the other."""

    adapter: Adapter
    shared: Submission
    _carried: list[int] = field(
        default_factory=lambda: [0, 0]
    )  # the longest plain text, in GSM-7 and in UCS-2
    _text: str | None = field(default=None, repr=False)  # the last one that was tried with a number
    _objection: str | None = None

    @classmethod
    def of(
        cls,
        adapter: Adapter,
        *,
        sender: str,
        options: Mapping[str, object],
        leaves_at_s: float | None,
        udh_bits: int = 8,
    ) -> Trial:
        """Try an order by itself.

        Raises:
            ConfigError: sender, an option or the schedule cannot be carried; the sentence names it.
        """
        _require_free(adapter, options)
        shared = Submission(
            reference="0" * 20,
            sender=sender,
            text="-",
            encoding=Encoding.GSM_7,
            udh_bits=udh_bits,
            recipients=(_NUMBER,),
            options=options,
            leaves_at_s=leaves_at_s,
        )
        adapter.build(shared)
        return cls(adapter=adapter, shared=shared)

    def objection(
        self, recipient: str, *, text: str, encoding: Encoding, is_known_plain: bool = False
    ) -> str | None:
        """Say in a sentence why a message cannot be carried; None when it can.

        Of plain texts, a gateway that takes one takes all that are no longer.
        """
        if ":" in recipient and kind_of(recipient):
            return self._tried(recipient, text=text, encoding=encoding)
        if len(text) <= self._carried[encoding is _UCS_2] and (is_known_plain or is_plain(text)):
            return None
        if text != self._text:  # gateways do not mind which number it is
            self._text, self._objection = text, self._tried(_NUMBER, text=text, encoding=encoding)
            if self._objection is None and is_plain(text):
                self._carried[encoding is _UCS_2] = len(text)
        return self._objection

    def _tried(self, recipient: str, *, text: str, encoding: Encoding) -> str | None:
        try:
            self.adapter.build(replace(self.shared, recipients=(recipient,), text=text, encoding=encoding))
        except ConfigError as error:
            return str(error)
        return None


def _require_free(adapter: Adapter, options: Mapping[str, object]) -> None:
    """Refuse an option that Bulksend writes itself."""
    ours = sorted((_BUILT - adapter.capabilities.options).intersection(options))
    if ours:
        message = f"gateway {adapter.name}: option {ours[0]} is written by Bulksend itself: leave it out"
        raise ConfigError(message)
