"""Threads beside the rest: the upkeep of accounts, and of the outcomes that were kept on this machine.

What killed workers have kept lies in a folder of one machine, so every machine with a worker replays.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from sqlalchemy import Engine

from worker.errors import ConfigError
from worker.folder import folder_of
from worker.noticing import Herald, run_notices
from worker.providers import Account
from worker.sending.write import write_kept
from worker.sessions import store_of
from worker.settings import Settings, Timers
from worker.upkeep import Upkeep

_log = logging.getLogger(__name__)


def start_upkeep(  # noqa: PLR0913 - what one account needs
    accounts_: Sequence[Account],
    *,
    engine: Engine,
    timers: Timers,
    broker: str | None,
    wait: Callable[[float], bool],
    keeps_numbers: bool = True,
) -> None:
    """Look after every account in a thread of its own: one that hangs is no matter of the others.

    ``broker`` is the address of Redis, by which sessions are shared with the workers; ``keeps_numbers`` says
    whether the list of opt-outs may hold those that a gateway blocks.
    """
    for account in accounts_:
        facts = {"timers": timers, "broker": broker, "keeps_numbers": keeps_numbers}
        _start(f"upkeep-{account.name}", _run, account, engine=engine, wait=wait, **facts)


def start_replay(settings: Settings, *, engine: Engine, wait: Callable[[float], bool]) -> None:
    """Write what killed workers of this machine have kept, again and again, in a thread of its own."""

    def run() -> None:
        while True:
            write_kept(folder_of(settings), engine, providers=settings.providers)
            if wait(settings.timers.check):
                return

    _start("replay", run)


def start_notices(settings: Settings, *, engine: Engine, wait: Callable[[float], bool]) -> None:
    """Tell whom the settings name when a campaign is done, in a thread of its own: a receiver may hang.

    Raises:
        ConfigError: the secret that signs what is posted is missing.
    """
    if settings.notice.is_wanted:
        _start("notices", run_notices, Herald.of(settings, engine=engine), wait=wait)


def _start(name: str, target: Callable[..., None], *args: object, **named: object) -> None:
    threading.Thread(target=target, args=args, kwargs=named, name=name, daemon=True).start()


def _run(  # noqa: PLR0913 - as above
    account: Account,
    *,
    engine: Engine,
    timers: Timers,
    broker: str | None,
    wait: Callable[[float], bool],
    keeps_numbers: bool,
) -> None:
    try:
        adapter, client = account.open(connections=1, store=store_of(account, broker=broker))
    except ConfigError as error:
        _log.error("provider not looked after", extra={"provider": account.name, "reason": str(error)})
        return
    upkeep = Upkeep(
        provider=account.name,
        login=account.login,
        engine=engine,
        adapter=adapter,
        client=client,
        timers=timers,
        timeout_s=account.provider.timeout,
        keeps_numbers=keeps_numbers,
    )
    while not wait(timers.tick):
        upkeep.round()
