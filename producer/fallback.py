"""The configured fallback of an order: whether it can carry every message, and at what price."""

from __future__ import annotations

from collections.abc import Mapping

from producer.wording import Characters
from worker.errors import ConfigError
from worker.providers import Account
from worker.text.compose import Composed
from worker.text.segments import measure
from worker.text.targets import kind_of


class Fallback:
    """What is known of the fallback so far, message by message.

    Attributes:
        account: that may take over.
        objection: a few words, why it cannot.
    """

    def __init__(
        self,
        account: Account,
        *,
        sender: str,
        options: Mapping[str, object],
        leaves_at_s: float | None,
        characters: Characters,
    ) -> None:
        self.account = account
        self.objection: str | None = None
        self._counts_alike = account.provider.udh == characters.udh_bits
        try:
            self._trial = account.trial(sender=sender, options=options, leaves_at_s=leaves_at_s)
        except ConfigError as error:
            self.objection = str(error)

    def look_at(self, msisdn: str, composed: Composed) -> None:
        """See whether it could carry a message."""
        self.objection = self.objection or self._objection(msisdn, composed)

    def _objection(self, msisdn: str, composed: Composed) -> str | None:
        capabilities = self.account.capabilities
        if kind := kind_of(msisdn):
            return f"a {kind} is known to its own gateway only"
        if composed.encoding not in capabilities.encodings:
            return f"its gateway does not take {composed.encoding.value}"
        if composed.n_parts > capabilities.max_parts:
            return f"its gateway takes {capabilities.max_parts} parts, and a text needs more"
        if rate := self.account.limit_below(composed.n_parts):
            return f"its rate is {rate}, and a text needs more parts"
        if not self._counts_alike and self._counts(composed) != composed.n_parts:
            return f"its parts are joined with udh = {self.account.provider.udh}, and a text has others there"
        return self._trial.objection(msisdn, text=composed.text, encoding=composed.encoding)

    def _counts(self, composed: Composed) -> int:
        udh_bits = self.account.provider.udh
        return measure(composed.text, encoding=composed.encoding, udh_bits=udh_bits).n_parts
