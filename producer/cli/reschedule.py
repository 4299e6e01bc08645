"""`bulksend campaign reschedule`: what is queued goes to another time."""

from __future__ import annotations

import shlex

import click
from sqlalchemy import Engine

from producer.cli.opening import ready_ledger
from producer.cli.output import Meter
from producer.cli.settling_down import settle_down
from producer.cli.times import local_words
from producer.cli.timing import default_zone, now, read_duration, read_when, read_zone
from producer.cli.words import author
from producer.schedule.moving import Mover, Target
from producer.schedule.timing import RECIPIENT
from worker.errors import ConfigError
from worker.ledger import rescheduling, scheduled
from worker.ledger.engine import reading, writing
from worker.ledger.flight import Scope
from worker.ledger.reports import CampaignReport, report
from worker.ledger.rescheduling import Ended, Wish
from worker.providers import accounts_of
from worker.settings import Settings, load_settings
from worker.timing.words import Wall


@click.command()
@click.argument("campaign_id", metavar="ID", type=int)
@click.option("--at", metavar="WHEN", help='The new start: "tomorrow 09:00", 2027-01-31T08:00+01:00.')
@click.option("--by", metavar="TIME", help="So much later than now planned: 2h.")
@click.option(
    "--zone", metavar="ZONE", help="Of --at: Europe/Copenhagen, or recipient; default: the campaign's."
)
@click.pass_context
def reschedule(
    ctx: click.Context, /, campaign_id: int, *, at: str | None, by: str | None, zone: str | None
) -> None:
    """Move what is queued of a campaign to another time, inside its windows.

    It is paused meanwhile, and what is on its way to the gateway is waited for: what that does not take
    is moved as well. Exit code 3 when something hangs. What was interrupted is finished by repeating the same
    command.
    """
    if (at is None) == (by is None):
        raise ConfigError("Give the new start with --at, or how much later with --by")
    settings = load_settings()
    engine = ready_ledger(settings)
    with reading(engine) as connection:
        found = report(connection, campaign_id)
    target = _target(settings, found, at=at, by=by, zone=zone)
    wish = Wish(words=_words(at, by, zone), target=target.kept, is_start=target.when is not None)
    with writing(engine) as connection:
        begun = rescheduling.begin(connection, campaign_id, wish, author=author())
    mover = Mover(Target.of_kept(begun.wish.target), begun)
    try:
        scope = Scope(campaign_id=campaign_id)
        code = settle_down(engine, scope, order="pause", patience_s=settings.timers.order_wait)
        with Meter("Moving", total=begun.n) as meter:
            meter.advance(begun.moved)
            _move(engine, campaign_id, mover, meter)
    except KeyboardInterrupt:
        click.echo(f"Campaign {campaign_id} stays paused; the same command goes on.", err=True)
        raise
    with writing(engine) as connection:
        ended = rescheduling.end(connection, campaign_id, author=author())
    _say(engine, found, ended, n_kept=mover.n_kept, shown_in=_shown_in(settings, found, zone))
    ctx.exit(code)


def _target(
    settings: Settings, found: CampaignReport, *, at: str | None, by: str | None, zone: str | None
) -> Target:
    now_ms = now()
    if at is None:
        if zone is not None:
            raise ConfigError("--zone: it is that of --at; --by needs none")
        return Target(now_ms=now_ms, by_ms=read_duration("--by", by) or 0)
    named = read_zone(zone) or found.zone or _usual_zone(settings, found)
    when = read_when(at, zone=named, today_in=_shown_in(settings, found, zone), now_ms=now_ms)
    return Target(now_ms=now_ms, when=when, zone=named if isinstance(when, Wall) else None)


def _usual_zone(settings: Settings, found: CampaignReport) -> str | None:
    return default_zone(settings, accounts_of(settings).get(found.provider))


def _shown_in(settings: Settings, found: CampaignReport, zone: str | None) -> str | None:
    names = (read_zone(zone), found.zone, _usual_zone(settings, found))
    return next((name for name in names if name not in {None, RECIPIENT}), None)


def _words(at: str | None, by: str | None, zone: str | None) -> str:
    given = {"--at": at, "--by": by, "--zone": zone}
    return " ".join(
        f"{name} {shlex.quote(' '.join(value.split()))}" for name, value in given.items() if value
    )


def _move(engine: Engine, campaign_id: int, mover: Mover, meter: Meter) -> None:
    """Move some in each transaction: nobody waits long for the ledger."""
    while True:
        with writing(engine) as connection:
            n = rescheduling.move_some(connection, campaign_id, mover.times)
        if n is None:
            return
        meter.advance(n)


def _say(engine: Engine, found: CampaignReport, ended: Ended, *, n_kept: int, shown_in: str | None) -> None:
    with reading(engine) as connection:
        next_due_at = scheduled.schedule_of(connection, found.id).next_due_at
    starts = f", from {local_words(next_due_at, shown_in or 'UTC')} on" if next_due_at else ""
    left = f"; {ended.left} had left or ended before" if ended.left else ""
    click.echo(f"Campaign {found.id}: {ended.moved} messages were moved{starts}{left}", err=True)
    if n_kept:
        click.echo(
            f"{n_kept} of them keep their time: nobody knows their time zone, or no window opens there",
            err=True,
        )
    if not ended.is_running:
        click.echo(f"It is paused; `bulksend campaign resume {found.id}` lets it go on", err=True)
