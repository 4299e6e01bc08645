"""Trying an order: its first message, sent to numbers of one's own as a campaign of its own.

It is claimed by nobody, so it neither counts as a repeat nor stands in the way of the order itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Engine

from producer.preview import Order, Preview, preview
from producer.recipients import Problem
from worker.errors import InputError
from worker.ledger import campaigns
from worker.ledger.drafts import NewCampaign, NewMessage, SourceCounts
from worker.ledger.engine import writing
from worker.states import Lane
from worker.text.msisdn import Msisdn, check_region, parse
from worker.text.pricing import Totals
from worker.text.segments import Encoding

MOST_NUMBERS = 5


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What is sent: one text, to each number one message with its price there."""

    order: Order
    text: str
    messages: Sequence[NewMessage]
    line: int  # of the file, whose text it is
    n_refused: int = 0  # rows before it

    @property
    def figures(self) -> Preview:
        """What it comes to, as a preview tells it."""
        cost, n = Totals(), len(self.messages)
        for each in self.messages:
            if each.price_micros is not None and each.currency is not None:
                cost.micros[each.currency] = cost.micros.get(each.currency, 0) + each.price_micros
        return Preview(
            rows=n,
            messages=n,
            parts=sum(each.parts for each in self.messages),
            unpriced=sum(each.price_micros is None for each in self.messages),
            cost=cost,
        )


class _FoundError(Exception):
    """Not wrong at all: the first message is there, and the rest of the file is not read."""

    def __init__(self, message: NewMessage, text: str) -> None:
        super().__init__()
        self.message, self.text = message, text


def prepare(order: Order, numbers: Sequence[str]) -> Trial | Preview:
    """Compose the first message of an order, and address it to some numbers.

    Returns:
        what is to be sent, or what was found in a file of which no row can be sent to.

    Raises:
        InputError: a number is none, or there are too many; the file or the template cannot be used.
        ConfigError: the account cannot carry the sender or an option.
    """
    chosen = _own(numbers, region=order.country or order.account.provider.country)
    at_once = replace(order, timing=None, leaves_at=None, fallback=None, lane=Lane.URGENT, wants_notice=False)

    def stop(message: NewMessage, text: str) -> None:
        raise _FoundError(message, text)

    refused: list[Problem] = []
    try:
        return preview(at_once, on_message=stop, on_problem=lambda problem, _: refused.append(problem))
    except _FoundError as found:
        messages = [_addressed(at_once, found, number, line=n) for n, number in enumerate(chosen, start=1)]
        line = found.message.line
        return Trial(order=at_once, text=found.text, messages=messages, line=line, n_refused=len(refused))


def _own(numbers: Sequence[str], *, region: str | None) -> list[Msisdn]:
    if len(numbers) > MOST_NUMBERS:
        raise InputError(f"--test: give at most {MOST_NUMBERS} numbers", code="too_many_numbers")
    country = None if region is None else check_region(region)
    found: dict[str, Msisdn] = {}
    for place, written in enumerate(numbers, start=1):
        try:
            number = parse(written, region=country)
        except InputError as error:
            raise InputError(f"--test, number {place}: {error}", code=error.code) from None
        found[number.e164] = number
    return list(found.values())


def _addressed(order: Order, found: _FoundError, number: Msisdn, *, line: int) -> NewMessage:
    """Give a message to another number, at the price there."""
    message = found.message
    encoding, n_parts = Encoding(message.encoding), message.parts
    trial = order.account.trial(
        sender=order.sender, options=order.options, udh_bits=order.characters.udh_bits
    )
    if sentence := trial.objection(number.e164, text=found.text, encoding=encoding):
        raise InputError(sentence, code="not_carried")
    prices = order.account.prices
    price = prices.price_of(number.region, calling_code=number.calling_code, parts=n_parts)
    return replace(
        message,
        line=line,
        msisdn=number.e164,
        region=number.region,
        text=None,  # it is the campaign's
        cells=None,  # they are of somebody else
        price_micros=price.micros if price else None,
        currency=price.currency if price else None,
    )


def create(engine: Engine, trial: Trial) -> int:
    """Write the trial into the ledger and release it, in one transaction; return the campaign's id.

    Raises:
        LedgerError: the ledger is away.
    """
    order = trial.order
    campaign = NewCampaign(
        name=f"test of {order.name}",
        fingerprint="",
        provider=order.account.name,
        sender=order.sender,
        template=order.template,
        text=trial.text,
        options=order.options,
        source=order.path.name,
        lane=order.lane,
        udh_bits=order.characters.udh_bits,
        purpose=order.purpose,
    )
    counts = SourceCounts(rows=len(trial.messages), duplicates=0, refused=0)
    with writing(engine) as connection:
        importer = campaigns.create(connection, campaign)
        campaigns.release(connection, campaigns.add_batch(connection, importer, trial.messages), counts)
    return importer.campaign_id
