"""What follows a reply: an opt-out, with the one confirmation that may follow it, or the end of one."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine

from worker.errors import ConfigError, InputError, LedgerError
from worker.ledger import campaigns, optouts, reached
from worker.ledger.drafts import NewCampaign, NewMessage, SourceCounts
from worker.ledger.engine import writing
from worker.ledger.reached import Last
from worker.ledger.scopes import ALL, CONFIRMATION, of_purpose, of_sender
from worker.providers import Account
from worker.receipts.replies import Reply
from worker.receipts.words import Wish, wish_of
from worker.settings import OptOuts
from worker.states import Lane, OptOutSource
from worker.text.msisdn import Msisdn, parse
from worker.text.segments import measure

_log = logging.getLogger(__name__)
_LOCKED_S = 3.0
_ALWAYS = "marketing"  # who stops anything wants no marketing either


@dataclass(frozen=True, kw_only=True)
class Stops:
    """Obeys replies.

    Attributes:
        engine: of the ledger.
        accounts: by provider; only these providers' replies are taken.
        settings: how opt-outs are kept, what a STOP is of, and the text of the confirmation.
    """

    engine: Engine
    accounts: Mapping[str, Account]
    settings: OptOuts = field(default_factory=OptOuts)

    def require_confirmation(self) -> None:
        """Raise ConfigError where a provider could not carry the confirmation."""
        text = self.settings.confirmation
        for account in self.accounts.values() if text else ():
            sender = account.provider.sender
            if text is None or sender is None:
                continue  # no sender, no confirmation
            encoding, _, n_parts = measure(text)
            words = account.trial(sender=sender, options={}).objection("", text=text, encoding=encoding)
            if n_parts > account.capabilities.max_parts:
                words = f"it needs {n_parts} parts"
            if words:
                raise ConfigError(f"optouts.confirmation cannot be sent by {account.name}: {words}")

    def obey(self, provider: str, reply: Reply) -> bool | None:
        """Do what a reply asks for; it holds when this has returned.

        Returns:
            whether it could be done; None: its number is none.
        """
        wish = wish_of(reply.text)
        if wish is None:
            return True  # it is for somebody else, and kept nowhere
        account = self.accounts[provider]
        numbers = _numbers(reply.number, region=account.provider.country)
        if not numbers:
            return None
        try:
            with writing(self.engine, wait_s=_LOCKED_S) as connection:
                n = self._obey(connection, account, numbers, wish)
        except LedgerError as error:
            _log.warning("reply not kept", extra={"provider": provider, "reason": str(error)})
            return False
        _log.info("reply obeyed", extra={"provider": provider, "wish": wish.value, "n_changed": n})
        return True

    def _obey(self, connection: Connection, account: Account, numbers: Sequence[Msisdn], wish: Wish) -> int:
        if wish is Wish.START:
            told = (OptOutSource.REPLY, OptOutSource.GATEWAY)
            names = [each.e164 for each in numbers]
            return optouts.remove(connection, names, sources=told, provider=account.name)
        lasts = [(each, reached.last_to(connection, each.e164, provider=account.name)) for each in numbers]
        number, last = next((each for each in lasts if each[1] is not None), lasts[0])
        new = [
            optouts.NewOptOut(
                scope=scope, source=OptOutSource.REPLY, msisdn=number.e164, provider=account.name
            )
            for scope in self._scopes(wish, last)
        ]
        added = optouts.add(connection, new, keeps_numbers=not self.settings.hashed)
        is_first = not self._has_others(connection, number, added)
        if added and is_first and self.settings.confirmation:
            _confirm(connection, account, number, last, text=self.settings.confirmation)
        return len(added)

    def _scopes(self, wish: Wish, last: Last | None) -> Sequence[str]:
        """Return what a STOP is of: of what the number got last; if that is nothing, of all."""
        if wish is Wish.STOP_ALL or last is None or self.settings.reply == "all":
            return [ALL]
        if self.settings.reply == "sender":
            return [of_sender(last.sender)]
        return [of_purpose(name) for name in sorted({last.purpose, _ALWAYS})]

    def _has_others(self, connection: Connection, number: Msisdn, added: Sequence[optouts.NewOptOut]) -> bool:
        """Say whether the number had stopped something before: then it had its confirmation."""
        held = [
            each
            for each in optouts.of_number(connection, number.e164)
            if each["source"] == OptOutSource.REPLY
        ]
        return len(held) > len(added)


def _numbers(written: str, *, region: str | None) -> list[Msisdn]:
    """Read a number as gateways write it: with its country code, plus or not, or as in the country."""
    found: dict[str, Msisdn] = {}
    bare = written.strip().removeprefix("+")
    for candidate, country in ((f"+{bare}", None), (written, region)):
        try:
            number = parse(candidate, region=country)
        except InputError:
            continue
        found.setdefault(number.e164, number)
    return list(found.values())


def _confirm(
    connection: Connection, account: Account, number: Msisdn, last: Last | None, *, text: str
) -> None:
    """Release the one message that may follow an opt-out; it passes the mark for its purpose."""
    sender = last.sender if last and last.provider == account.name else account.provider.sender
    if sender is None:
        return
    encoding, _, n_parts = measure(text)
    price = account.prices.price_of(number.region, calling_code=number.calling_code, parts=n_parts)
    campaign = NewCampaign(
        name="confirmation of an opt-out",
        fingerprint="",
        provider=account.name,
        sender=sender,
        template=text,
        text=text,
        options={},
        source="reply",
        lane=Lane.URGENT,
        purpose=CONFIRMATION,
    )
    message = NewMessage(
        line=1,
        msisdn=number.e164,
        region=number.region,
        text=None,
        encoding=encoding.value,
        parts=n_parts,
        price_micros=price.micros if price else None,
        currency=price.currency if price else None,
    )
    importer = campaigns.add_batch(connection, campaigns.create(connection, campaign), [message])
    campaigns.release(connection, importer, SourceCounts(rows=1, duplicates=0, refused=0))
