"""`bulksend campaign reschedule`: what is queued goes to another time."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace

import click
from sqlalchemy import Engine

from producer.cli.opening import ready_ledger
from producer.cli.output import Meter
from producer.cli.settling_down import settle_down
from producer.cli.times import local_words, time_words
from producer.cli.timing import default_zone, now, read_duration, read_when, read_zone
from producer.cli.words import author
from producer.schedule.moving import Mover, Target
from producer.schedule.timing import RECIPIENT
from worker.errors import ConfigError
from worker.ledger import rescheduling
from worker.ledger.engine import reading, writing
from worker.ledger.flight import Scope
from worker.ledger.half_moved import Begun, Wish, finish
from worker.ledger.reports import CampaignReport, report
from worker.ledger.rescheduling import Ended
from worker.ledger.scheduled import Schedule, schedule_of
from worker.providers import accounts_of
from worker.settings import Settings, load_settings
from worker.states import MessageState
from worker.text.counting import counted
from worker.timing.words import Wall


@click.command()
@click.argument("campaign_id", metavar="ID", type=int)
@click.option("--at", metavar="WHEN", help='The new start: "tomorrow 09:00", 2027-01-31T08:00+01:00.')
@click.option("--by", metavar="TIME", help="So much later than now planned: 2h.")
@click.option(
    "--zone", metavar="ZONE", help="Of --at: Europe/Copenhagen, or recipient; default: the campaign's."
)
@click.option("--again", is_flag=True, help="Move by the same once more, within an hour of the first time.")
@click.option("--finish", "finishes", is_flag=True, help="Go on with an order that was interrupted.")
@click.pass_context
def reschedule(  # noqa: PLR0913 - one argument per option
    ctx: click.Context,
    /,
    campaign_id: int,
    *,
    at: str | None,
    by: str | None,
    zone: str | None,
    again: bool,
    finishes: bool,
) -> None:
    """Move what is queued of a campaign to another time, inside its windows.

    It is paused meanwhile, and what is on its way to the gateway is waited for: what that does not take
    is moved as well. Exit code 3 when something hangs. What was interrupted is finished with --finish, or by
    the same command within the hour; what was done is not done again by it, unless --again is given.
    """
    if [at is not None, by is not None, finishes].count(True) != 1:
        raise ConfigError("Give the new start with --at, how much later with --by, or --finish")
    if finishes and zone is not None:
        raise ConfigError("--zone: the order that is finished has its own")
    settings = load_settings()
    engine = ready_ledger(settings)
    with reading(engine) as connection:
        found = report(connection, campaign_id)
    wish = None if finishes else _wish(settings, found, at=at, by=by, zone=zone)
    if wish is not None:
        is_by = by is not None
        wish = replace(wish, adds_up=is_by and not again, is_again=is_by and again)
    with writing(engine) as connection:
        begun = rescheduling.begin(connection, campaign_id, wish, author=author())
    shown_in = _shown_in(settings, found, zone) or "UTC"
    _say_begun(begun, shown_in=shown_in)
    mover = Mover(Target.of_kept(begun.wish.target), begun)
    try:
        scope = Scope(campaign_id=campaign_id)
        code = settle_down(engine, scope, order="pause", patience_s=settings.timers.order_wait, zone=shown_in)
        with Meter("Moving", total=begun.n) as meter:
            meter.advance(begun.moved)
            moved = _move(engine, begun, mover, meter)
    except KeyboardInterrupt:
        words = f"`{finish(campaign_id)}` goes on"
        click.echo(f"Campaign {campaign_id} stays paused; {words}.", err=True)
        raise
    _say(campaign_id, moved, mover, shown_in=shown_in)
    _say_kept(mover.n_kept)
    if not moved.ended.is_running:
        click.echo(f"It is paused; `bulksend campaign resume {found.id}` lets it go on", err=True)
    ctx.exit(code)


def _wish(
    settings: Settings, found: CampaignReport, *, at: str | None, by: str | None, zone: str | None
) -> Wish:
    target = _target(settings, found, at=at, by=by, zone=zone)
    return Wish(words=_words(at, by, zone), target=target.kept, is_start=target.when is not None)


def _say_begun(begun: Begun, *, shown_in: str) -> None:
    """Say whose order it is that this one goes on with, or takes the place of."""
    if begun.is_finished:
        click.echo(f"Going on with {_order_words(begun, shown_in)}", err=True)
    elif begun.given_up is not None:
        click.echo(
            f"Given up, since the campaign was resumed: {_order_words(begun.given_up, shown_in)}", err=True
        )


def _order_words(begun: Begun, zone: str) -> str:
    who = f" of {begun.author}" if begun.author else ""
    when = f", {time_words(begun.at, zone)}" if begun.at else ""
    done = f"{begun.moved} of {counted(begun.n, 'message')} moved so far"
    return f"the order {begun.wish.words}{who}{when}: {done}"


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


@dataclass(frozen=True, kw_only=True)
class _Moved:
    """What was moved.

    Attributes:
        ended: the end of the order.
        n_left: messages that had left, or ended, before.
        schedule: what was to come before the campaign went on, which sends what is due at once.
    """

    ended: Ended
    n_left: int
    schedule: Schedule


def _move(engine: Engine, order: Begun, mover: Mover, meter: Meter) -> _Moved:
    """Move some in each transaction, so that nobody waits long for the ledger, and let the campaign go on."""
    while True:
        with writing(engine) as connection:
            n = rescheduling.move_some(connection, order.campaign_id, mover.times, order=order)
        if n is not None:
            meter.advance(n)
            continue
        with reading(engine) as connection:
            found = report(connection, order.campaign_id)
            schedule = schedule_of(connection, order.campaign_id)
        with writing(engine) as connection:
            ended = rescheduling.end(connection, order.campaign_id, author=author(), order=order)
        if ended is not None:
            n_left = found.messages - found.counts[MessageState.QUEUED]
            return _Moved(ended=ended, n_left=n_left, schedule=schedule)


def _say(campaign_id: int, moved: _Moved, mover: Mover, *, shown_in: str) -> None:
    """Say from when on what was moved leaves, and what of it a window has moved further."""
    schedule, now_on = moved.schedule, "now"
    if schedule.oldest_due_at is None and schedule.next_due_at is not None:
        now_on = local_words(schedule.next_due_at, shown_in)
    is_said = moved.ended.moved and (moved.ended.is_running or now_on != "now")  # what is paused does not go
    starts = f", from {now_on} on" if is_said else ""
    left = f"; {moved.n_left} had left or ended before" if moved.n_left else ""
    were = counted(moved.ended.moved, "message", verb="was")
    click.echo(f"Campaign {campaign_id}: {were} moved{starts}{left}", err=True)
    if mover.opens_at is not None:
        opens = local_words(mover.opens_at, shown_in)
        wait = "waits until its" if mover.n_shut == 1 else "wait until their"
        click.echo(f"{mover.n_shut} of them {wait} window opens, from {opens} on", err=True)


def _say_kept(n_kept: int) -> None:
    if n_kept:
        click.echo(
            f"{n_kept} of them keep their time: nobody knows their time zone, or no window opens there",
            err=True,
        )
