"""What the smSend family says of an account: a quantity of messages for each type.

Source: the vendor's documentation (smsend/REST-API, 2019-07) and clients in use, read November 2026.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.gateways.base import Standing
from worker.gateways.smsend import shapes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from worker.gateways.base import HttpReply
    from worker.gateways.smsend.dialect import Dialect

_OK = 200


def standing(reply: HttpReply, *, dialect: Dialect, hide: tuple[str, ...]) -> Standing:
    """Find the account well if it has messages left of the type in use.

    An option may name another type than the dialect, which is not known here; so without a type in the
    dialect messages of any type will do.
    """
    found = shapes.document(reply.body) if reply.status == _OK else {}
    stocks = _stocks(found)
    balance = _balance(stocks, dialect=dialect)
    if reply.status == _OK:
        reason = _trouble(stocks, balance=balance, dialect=dialect)
    else:
        reason = ": ".join(filter(None, shapes.complaint(reply, hide=hide)))
    money = shapes.amount(found.get("money"))
    abilities = [f"{kind}: {quantity} messages" for kind, quantity in stocks.items()]
    return Standing(
        is_well=reason is None,
        is_answered=bool(found),
        reason=reason,
        balance=balance,
        unit=None if balance is None else "messages",
        abilities=tuple(abilities if money is None else [*abilities, f"money: {money}"]),
    )


def _stocks(found: shapes.Item) -> dict[str, Decimal]:
    stocks = {}
    for item in shapes.items(found.get("sms")):
        kind, quantity = shapes.code(shapes.word(item.get("type"))), shapes.amount(item.get("quantity"))
        if kind is not None and quantity is not None:
            stocks[kind] = quantity
    return stocks


def _balance(stocks: Mapping[str, Decimal], *, dialect: Dialect) -> Decimal | None:
    """Give the quantity of the type in use; None where that may be one of several."""
    balance = stocks.get(dialect.message_type)
    if dialect.is_chosen or (balance is not None and balance > 0):
        return balance
    if len(stocks) == 1:
        return next(iter(stocks.values()))
    return None if any(quantity > 0 for quantity in stocks.values()) else balance


def _trouble(stocks: Mapping[str, Decimal], *, balance: Decimal | None, dialect: Dialect) -> str | None:
    if not stocks:
        return "the answer shows no credit that can be read"
    if balance is None and dialect.is_chosen:
        return f"the account has no message type {dialect.message_type}: set message_type in its dialect"
    most = max(stocks.values()) if balance is None else balance
    return None if most > 0 else "the credit is used up"
