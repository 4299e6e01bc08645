"""The roles' commands, mounted by ``producer.cli``: worker, dispatcher, receipts, up, flower, sandbox."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Sequence
from types import FrameType

import click

from worker.broker import check_broker
from worker.errors import ConfigError
from worker.ledger.deliveries import receipts_key
from worker.ledger.engine import open_ledger, reading
from worker.ledger.schema import prepare
from worker.log import configure_logging
from worker.noticing import Herald
from worker.providers import accounts_of, note_rates
from worker.receipts import address, pushing, reply_address
from worker.roles import Role, Supervisor
from worker.sandbox.__main__ import main as sandbox
from worker.settings import Settings, load_settings
from worker.station import (
    FLOWER_PORT,
    Presence,
    broker_of,
    flower_role,
    receipts_role,
    require_port,
    tick_role,
    worker_roles,
)
from worker.threads import start_replay
from worker.waiting import Flag

_PORT = click.IntRange(1, 65535)

__all__ = ["dispatcher", "flower", "receipts", "sandbox", "up", "worker"]


@click.command()
@click.option("--no-tick", is_flag=True, help="Do not run the dispatch tick beside the worker.")
def worker(*, no_tick: bool) -> None:
    """Send what is due: Celery children and the dispatch tick, until stopped.

    Ctrl-C or SIGTERM lets the requests under way end; a second one does not wait for their answers.
    """
    settings = _ready_settings(sends=True)
    if not no_tick:
        _require_metrics_port(settings)
    with broker_of(settings) as broker:
        if not no_tick:  # without one, nothing is published: `send --wait` must bring a worker all the same
            _announce(settings)
        roles = worker_roles(settings, broker, with_tick=not no_tick)
        _run(roles, settings, replays=no_tick)  # as the tick does, where there is one


@click.command()
def dispatcher() -> None:
    """Run the dispatch tick alone: publish what is due, sweep what was abandoned, check the gateways."""
    settings = _ready_settings(sends=True)
    _require_metrics_port(settings)
    with broker_of(settings) as broker:
        _run([tick_role(settings, broker)], settings)


@click.command()
@click.option("--addresses", is_flag=True, help="Show the address of each gateway that pushes; run nothing.")
@click.option("--replies", is_flag=True, help="Show the address for replies to each provider; run nothing.")
@click.option("--json", "as_json", is_flag=True, help="With one of these: a JSON list on standard output.")
def receipts(*, addresses: bool, replies: bool, as_json: bool) -> None:
    """Take in the delivery reports that gateways push, and STOP replies that are posted.

    A gateway that takes an address with each request is given it. Where its panel asks for one, register what
    --addresses shows: whoever knows it can report deliveries, so tell it to nobody else. Whatever takes your
    replies in posts number and text to what --replies shows.
    """
    if as_json and not (addresses or replies):
        raise click.UsageError("--json goes with --addresses or --replies")
    settings = _ready_settings(sends=False)
    needs_public_url = addresses or (pushing(settings) and not replies)
    found = _addresses(settings) if needs_public_url else _reply_addresses(settings)
    if addresses or replies:
        lines = (f"{each['provider']}  {each['address']}" for each in found)
        click.echo(json.dumps(found) if as_json else "\n".join(lines))
        return
    listen = settings.receipts.listen
    require_port(listen.host, listen.port, advice="write another as `receipts.listen`")
    _run([receipts_role(settings)], settings)


def _reply_addresses(settings: Settings) -> list[dict[str, str]]:
    """Return where replies are to be posted."""
    engine = open_ledger(settings.ledger)
    with reading(engine) as connection:
        key = receipts_key(connection)
    engine.dispose()
    return [
        {
            "provider": name,
            "gateway": each.gateway,
            "address": reply_address(settings, key=key, provider=name),
        }
        for name, each in settings.providers.items()
    ]


def _addresses(settings: Settings) -> list[dict[str, str]]:
    """Return where each gateway pushes to.

    Raises:
        ConfigError: no gateway pushes, or none could reach us.
    """
    engine = open_ledger(settings.ledger)
    with reading(engine) as connection:
        key = receipts_key(connection)
    engine.dispose()
    if not pushing(settings):
        raise ConfigError("None of the configured gateways pushes delivery reports")
    if settings.receipts.public_url is None:
        raise ConfigError(
            "receipts.public_url is missing: write where gateways reach this machine, "
            'such as "https://sms.example.org"'
        )
    return [
        {"provider": name, "gateway": settings.providers[name].gateway, "address": place}
        for name in pushing(settings)
        if (place := address(settings, key=key, provider=name))
    ]


@click.command()
@click.option("--address", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=_PORT, default=FLOWER_PORT, show_default=True, help="Port to listen on.")
def flower(address: str, port: int) -> None:
    """Show the tasks of all workers in a browser."""
    settings = _ready_settings(sends=False)
    require_port(address, port, advice="give another --port, or another --address")
    with broker_of(settings) as broker:
        click.echo(f"Flower on http://{address}:{port}", err=True)
        _run([flower_role(settings, broker, address=address, port=port)], settings)


@click.command()
@click.option("--no-flower", is_flag=True, help="Do not run Flower.")
@click.option(
    "--flower-port",
    type=_PORT,
    default=FLOWER_PORT,
    show_default=True,
    help="Port of Flower on 127.0.0.1.",
)
def up(*, no_flower: bool, flower_port: int) -> None:
    """Run every role on this machine and stop them together.

    Delivery reports and replies are taken in where `receipts.public_url` is set.
    """
    settings = _ready_settings(sends=True)
    _require_metrics_port(settings)
    listen = settings.receipts.listen
    takes_reports = settings.receipts.public_url is not None
    if takes_reports:
        require_port(listen.host, listen.port, advice="write another as `receipts.listen`")
    if not no_flower:
        require_port("127.0.0.1", flower_port, advice="give another --flower-port, or --no-flower")
    with broker_of(settings) as broker:
        _announce(settings)
        roles = list(worker_roles(settings, broker))
        if takes_reports:
            roles.append(receipts_role(settings))
        if not no_flower:
            roles.append(flower_role(settings, broker, address="127.0.0.1", port=flower_port))
            click.echo(f"Flower on http://127.0.0.1:{flower_port}", err=True)
        _run(roles, settings)


def _ready_settings(*, sends: bool) -> Settings:
    """Load and check all that would fail later: providers, broker, ledger, and the secrets of who sends."""
    settings = load_settings()
    accounts = accounts_of(settings)
    if not accounts:
        raise ConfigError(f"{settings.source} has no provider: add a section [providers.NAME]")
    if settings.broker is not None:
        check_broker(settings.broker)
    for account in accounts.values() if sends else ():
        account.secret()
    engine = open_ledger(settings.ledger)
    Herald.of(settings, engine=engine)  # its secret too would be found missing later
    prepare(engine)
    if sends:
        note_rates(engine, accounts)
    engine.dispose()
    return settings


def _require_metrics_port(settings: Settings) -> None:
    """Refuse an address that is taken, such as by the tick of another worker of this machine."""
    if settings.metrics is not None:
        advice = "give another as `metrics`; beside another worker of this machine, --no-tick serves none"
        require_port(settings.metrics.host, settings.metrics.port, advice=advice)


_presences: list[Presence] = []  # held until this process ends


def _announce(settings: Settings) -> None:
    """Let ``send --wait`` on this machine know that it need not bring a worker."""
    if settings.broker is not None:
        return
    presence = Presence(settings)
    presence.announce()
    _presences.append(presence)


def _run(roles: Sequence[Role], settings: Settings, *, replays: bool = False) -> None:
    configure_logging()
    stop = Flag()
    supervisor = Supervisor(roles, grace_s=settings.timers.grace)

    def stopped(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set:
            supervisor.hurry()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stopped)
    supervisor.start()
    names = ", ".join(role.name for role in roles)
    click.echo(f"Running {names}; Ctrl-C stops", err=True)
    sys.stderr.flush()
    if replays:
        start_replay(settings, engine=open_ledger(settings.ledger), wait=stop.wait)
    supervisor.run(stop.wait)
