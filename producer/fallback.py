"""The configured fallback of an order: whether it can carry every message, and at what price."""

from __future__ import annotations

from collections.abc import Mapping

from producer.recipients import Row
from worker.errors import ConfigError
from worker.providers import Account
from worker.text.compose import Composed
from worker.text.pricing import Price, Totals
from worker.text.targets import kind_of


class Fallback:
    """What is known of the fallback so far, message by message.

    Attributes:
        account: that may take over.
        objection: a few words, why it cannot.
        cost: if everything went through it.
        unpriced: messages for which it has no price.
    """

    def __init__(
        self, account: Account, *, sender: str, options: Mapping[str, object], leaves_at_s: float | None
    ) -> None:
        self.account = account
        self.objection: str | None = None
        self.cost = Totals()
        self.unpriced = 0
        try:
            self._trial = account.trial(sender=sender, options=options, leaves_at_s=leaves_at_s)
        except ConfigError as error:
            self.objection = str(error)

    def price_of(self, row: Row, composed: Composed) -> Price | None:
        """Return what a message costs there; nothing where no price is known, or it cannot take over."""
        self.objection = self.objection or self._objection(row, composed)
        if self.objection:
            return None
        prices = self.account.prices
        price = prices.price_of(row.region, calling_code=row.calling_code, parts=composed.n_parts)
        if price is None:
            self.unpriced += 1
        else:
            self.cost.add(price)
        return price

    def _objection(self, row: Row, composed: Composed) -> str | None:
        capabilities = self.account.capabilities
        if kind := kind_of(row.msisdn):
            return f"a {kind} is known to its own gateway only"
        if composed.encoding not in capabilities.encodings:
            return f"its gateway does not take {composed.encoding.value}"
        if composed.n_parts > capabilities.max_parts:
            return f"its gateway takes {capabilities.max_parts} parts, and a text needs more"
        if rate := self.account.limit_below(composed.n_parts):
            return f"its rate is {rate}, and a text needs more parts"
        return self._trial.objection(row.msisdn, text=composed.text, encoding=composed.encoding)
