"""`bulksend send` after the release: whatever goes wrong now, the campaign is there, and that is said."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import click
from sqlalchemy import Engine

from producer import watch
from producer.cli import EXIT_INTERRUPTED, EXIT_PARTLY
from producer.cli.campaign import echo_report
from producer.cli.dashboard import Dashboard
from producer.cli.output import echo_json
from producer.own_worker import own_worker
from producer.reports import explained, is_complete, shown
from worker.errors import BrokerError, ConfigError, LedgerError
from worker.ledger.engine import reading
from worker.ledger.reports import CampaignReport
from worker.settings import Settings
from worker.station import running_broker
from worker.text.counting import counted


@dataclass(frozen=True, kw_only=True)
class Released:
    """A campaign that was just released, and the figures of its preview."""

    id: int
    provider: str
    summary: Mapping[str, object]


def see_off(settings: Settings, engine: Engine, released: Released, *, waits: bool, as_json: bool) -> int:
    """Tell the workers of a campaign, follow it to its end if that is wanted, and return the exit code."""
    begun = {**released.summary, "campaign_id": released.id}
    ended: dict[str, Any] = {}
    code = EXIT_PARTLY if waits else 0
    try:
        if as_json and not waits:
            echo_json(begun)
        words = f"Campaign {released.id}: {_counted(begun, 'message')}, {_counted(begun, 'part')}"
        click.echo(words, err=True)
        _publish(settings, engine, released.provider)
        if waits:
            ended, code = _followed(settings, engine, released.id)
        else:
            _say_who_sends(engine, released.id)
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
        _say_how_to_go_on(settings, released.id)
    except (BrokerError, ConfigError, LedgerError) as error:
        click.echo(f"{error}. The campaign is in the ledger.", err=True)
        _say_how_to_go_on(settings, released.id)
    if as_json and waits:
        echo_json({**begun, **ended, **_sums(begun, ended)})
    elif ended:
        echo_report(ended, settings)
    return code


def _sums(begun: Mapping[str, Any], ended: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the sums of the preview, as without waiting, and name apart what was sent."""
    ordered = {name: begun[name] for name in ("parts", "cost") if name in begun}
    return {**ordered, **{f"sent_{name}": ended[name] for name in ("parts", "cost") if name in ended}}


def _counted(figures: Mapping[str, object], noun: str) -> str:
    return counted(int(str(figures[f"{noun}s"])), noun)


def leave_to_workers(settings: Settings, engine: Engine, campaign_id: int, *, provider: str) -> int:
    """Tell the workers of a campaign, say so where nobody sends it, and return the exit code."""
    try:
        _publish(settings, engine, provider)
        _say_who_sends(engine, campaign_id)
    except KeyboardInterrupt:
        _say_how_to_go_on(settings, campaign_id)
        return EXIT_INTERRUPTED
    except (BrokerError, ConfigError, LedgerError) as error:
        click.echo(f"{error}. The campaign is in the ledger.", err=True)
    return 0


def _say_who_sends(engine: Engine, campaign_id: int) -> None:
    """Say so where no worker begins, or will when it is due."""
    if watch.starts_at(engine, campaign_id):
        click.echo("It starts by itself where a worker runs (`bulksend worker`)", err=True)
    elif not watch.is_worked_soon(engine, campaign_id):
        click.echo(watch.NOBODY_SENDS, err=True)


def _publish(settings: Settings, engine: Engine, provider: str) -> None:
    """Tell a worker at once; when Redis or the ledger has just gone away, the tick does it later."""
    broker = running_broker(settings)
    if broker is None:
        return
    from worker.dispatch import Dispatcher  # noqa: PLC0415 - Celery takes longer to import than all else here

    dispatcher = Dispatcher.of(settings, engine=engine, broker=broker)
    try:
        dispatcher.publish_due(provider)
    except (BrokerError, LedgerError) as error:
        click.echo(f"{error}. The campaign is in the ledger and goes on by itself.", err=True)


def _followed(settings: Settings, engine: Engine, campaign_id: int) -> tuple[dict[str, Any], int]:
    """Follow the campaign to its end; return what is shown of it then, and the exit code."""
    report = explained(_follow(settings, engine, campaign_id), settings)
    with reading(engine) as connection:
        return shown(connection, report, settings), 0 if is_complete(report) else EXIT_PARTLY


def _follow(settings: Settings, engine: Engine, campaign_id: int) -> CampaignReport:
    """Follow the campaign, with a worker of our own where no broker says that others send."""
    dashboard = Dashboard(campaign_id, settings)
    with ExitStack() as opened:
        in_between, on_idle = _nothing, lambda: dashboard.say(watch.NOBODY_SENDS)
        if settings.broker is None:
            in_between = opened.enter_context(own_worker(settings, say=dashboard.say)).see_to
            on_idle = _nothing  # ours starts
            click.echo("Sending from here, unless a worker runs already; Ctrl-C stops cleanly", err=True)
        try:
            with dashboard:
                report = watch.follow(
                    engine, campaign_id, on_look=dashboard.show, in_between=in_between, on_idle=on_idle
                )
                if settings.broker is None and report.is_done:
                    watch.is_told(engine, campaign_id)  # while our worker runs: it is the one who tells
                return report
        except KeyboardInterrupt:
            if settings.broker is None:  # before our worker is waited for
                click.echo("Stopping: what is under way ends, the rest stays queued.", err=True)
            raise


def _nothing() -> None:
    """Do nothing."""


def _say_how_to_go_on(settings: Settings, campaign_id: int) -> None:
    if settings.broker is None:
        words = f"`bulksend worker` goes on; `bulksend campaign show {campaign_id}` tells where it is."
    else:
        words = f"Campaign {campaign_id} goes on; `bulksend campaign watch {campaign_id}` shows it."
    click.echo(words, err=True)
