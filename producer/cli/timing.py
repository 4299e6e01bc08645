"""The options that say when something leaves, and what they come to."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from producer.schedule.column import TimeColumn, open_time_column
from producer.schedule.timing import ALWAYS, ASK_ZONE, FARTHEST_MS, Timing
from worker.errors import ConfigError
from worker.providers import Account
from worker.settings import Settings
from worker.settings.hours import RECIPIENT, read_hours
from worker.states import Late
from worker.timing.durations import parse_duration
from worker.timing.hours import EVERY_DAY, Hours, parse_hours, parse_weekdays
from worker.timing.local import start_of
from worker.timing.windows import Windows
from worker.timing.words import Instant, Wall, When, parse_when
from worker.timing.zones import check_zone, zones_of_region

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

GATEWAY = "gateway"
_OURS = ("window", "weekdays", "over", "at_column", "at_format", "late", "validity")
"""What no gateway keeps."""

_LAST_ZONE = "Etc/GMT+12"  # where a day ends last


def timing_options(command: F) -> F:
    """Add the options that say when."""
    for option in reversed(
        (
            click.option(
                "--at",
                metavar="WHEN",
                help='When it begins to leave: "tomorrow 09:00", 2027-01-31T08:00+01:00.',
            ),
            click.option(
                "--zone", metavar="ZONE", help="Of --at: Europe/Copenhagen, or recipient: each one's own."
            ),
            click.option("--at-column", metavar="COLUMN", help="Column with a time for each row."),
            click.option("--at-format", metavar="FORMAT", help='How these are written: "%d/%m/%Y %H:%M".'),
            click.option(
                "--window", multiple=True, metavar="HOURS", help="Leave only in these: 09:00-20:00."
            ),
            click.option("--weekdays", metavar="DAYS", help="Of the windows: mon-fri."),
            click.option(
                "--validity",
                metavar="TIME",
                help="Give up what could not leave so long after its time, or after its window opens: 6h.",
            ),
            click.option("--over", metavar="TIME", help="Spread evenly over this time: 3h."),
            click.option(
                "--late",
                type=click.Choice([each.value for each in Late]),
                help="If the start was missed: hold for a person (default), skip, or send.",
            ),
            click.option(
                "--schedule-at",
                type=click.Choice([GATEWAY]),
                help="Who keeps it until --at: the gateway is given it at once.",
            ),
        )
    ):
        command = option(command)
    return command


def make_leaves_at(
    settings: Settings, account: Account, given: Mapping[str, Any], *, now_ms: int
) -> int | None:
    """Return the time until which the gateway is to keep an order; None where it is not.

    Raises:
        ConfigError: no time is given, or more than a gateway keeps.
    """
    if given["schedule_at"] != GATEWAY:
        return None
    too_much = ["--" + name.replace("_", "-") for name in _OURS if given[name]]
    if too_much:
        raise ConfigError(f"--schedule-at gateway: no gateway keeps {' and '.join(too_much)}; leave it out")
    if given["at"] is None:
        raise ConfigError("--schedule-at gateway: give the time with --at")
    zone = read_zone(given["zone"]) or default_zone(settings, account, country=given["country"])
    if zone == RECIPIENT:
        raise ConfigError("--schedule-at gateway: it keeps one time for all; name one zone with --zone")
    when = read_when(given["at"], zone=zone, today_in=zone, now_ms=now_ms)
    return start_of(when.local, (zone or "UTC",))[0] if isinstance(when, Wall) else when.epoch_ms


def make_timing(
    settings: Settings, account: Account, fallback: Account | None, given: Mapping[str, Any], *, now_ms: int
) -> Timing:
    """Return when an order is to leave, as far as its options and the settings say.

    Raises:
        ConfigError: what was given cannot be read, contradicts itself, or is over; or it takes a zone.
        InputError: the times of a column cannot be read in one way.
    """
    _require_sense(given)
    usual = default_zone(settings, account, country=given["country"])
    zone = read_zone(given["zone"]) or usual
    shown_in = next((each for each in (zone, usual) if each not in {None, RECIPIENT}), None)
    at: str | None = given["at"]
    when = None if at is None else read_when(at, zone=zone, today_in=shown_in, now_ms=now_ms)
    is_now = at is not None and at.strip().lower() == "now"
    windows = _windows(given).combined(Windows(quiet=account.provider.quiet))
    quiet = Windows(quiet=fallback.provider.quiet) if fallback else ALWAYS
    if windows.combined(quiet).is_never:
        raise ConfigError("--window, --weekdays and the quiet hours of the provider leave no time at all")
    return Timing(
        now_ms=now_ms,
        when=None if is_now else when,
        is_dated=given["at_column"] is not None or (at is not None and _is_dated(at, when, now_ms, shown_in)),
        column=_column(given),
        zone=zone,
        windows=windows,
        quiet=quiet,
        validity_ms=read_duration("--validity", given["validity"]),
        over_ms=read_duration("--over", given["over"]),
        late=Late(given["late"] or Late.HOLD),
        shown_in=shown_in or "UTC",
    )


def now() -> int:
    """Return the time of this machine, in epoch milliseconds."""
    return round(1000 * time.time())


def default_zone(settings: Settings, account: Account | None, *, country: str | None = None) -> str | None:
    """Return the zone of what is written without one; None where a country has several and nobody said."""
    if settings.zone is not None:
        return settings.zone
    usual = account.provider.country if account else None
    zones = zones_of_region(country or usual or "")
    return zones[0] if len(zones) == 1 else None


def _require_sense(given: Mapping[str, Any]) -> None:
    if given["at_column"] is None:
        if given["at_format"] is not None:
            raise ConfigError("--at-format: name the column of times with --at-column")
        return
    for name in ("at", "over"):
        if given[name] is not None:
            raise ConfigError(f"--{name} and --at-column: each row has its own time; give one of them")


def read_zone(written: str | None) -> str | None:
    """Read --zone: the name of a zone, or ``recipient``; raises ConfigError where it is neither."""
    if written is None or written.strip().lower() == RECIPIENT:
        return None if written is None else RECIPIENT
    return _named("--zone", lambda: check_zone(written))


def read_when(written: str, *, zone: str | None, today_in: str | None, now_ms: int) -> When:
    """Read --at; what is over everywhere, or years ahead, is refused."""
    when = _named("--at", lambda: parse_when(written, now_ms=now_ms, zone=today_in))
    if isinstance(when, Wall) and zone is None:
        raise ConfigError(f"--at {written!r}: {ASK_ZONE}")
    at_ms = when.epoch_ms if isinstance(when, Instant) else _resolved(when, zone)
    if at_ms < now_ms:
        raise ConfigError("--at: this time is over")
    if at_ms > now_ms + FARTHEST_MS:
        raise ConfigError("--at: this time is too far away: nobody keeps a message for years")
    return when


def _resolved(when: Wall, zone: str | None) -> int:
    return start_of(when.local, (_LAST_ZONE if zone in {None, RECIPIENT} else str(zone),))[0]


def _is_dated(written: str, when: When | None, now_ms: int, zone: str | None) -> bool:
    """Say whether a time would be the same if it were written a moment later."""
    return parse_when(written, now_ms=now_ms + 1, zone=zone) == when


def _column(given: Mapping[str, Any]) -> TimeColumn | None:
    wanted: str | None = given["at_column"]
    return (
        None
        if wanted is None
        else open_time_column(given["file"], wanted, written_as=given["at_format"], form=given["form"])
    )


def _windows(given: Mapping[str, Any]) -> Windows:
    weekdays = EVERY_DAY
    if given["weekdays"] is not None:
        weekdays = _named("--weekdays", lambda: parse_weekdays(given["weekdays"]))
    hours = _named("--window", lambda: [read_hours(written) for written in given["window"]])
    if not hours and weekdays != EVERY_DAY:
        hours = [parse_hours("00:00-24:00")]
    return Windows(open=tuple(_on(each, weekdays) for each in hours))


def _on(hours: Hours, weekdays: frozenset[int]) -> Hours:
    """Put hours on weekdays; those that are written with their own keep these."""
    if hours.weekdays != EVERY_DAY:
        return hours
    return Hours(opens=hours.opens, closes=hours.closes, weekdays=weekdays)


def read_duration(option: str, written: str | None) -> int | None:
    """Read a length of time in ms; raises ConfigError with the option."""
    return None if written is None else _named(option, lambda: parse_duration(written))


def _named(option: str, read: Callable[[], T]) -> T:
    """Put the option in front of what is wrong with it."""
    try:
        return read()
    except ConfigError as error:
        raise ConfigError(f"{option}: {error}") from None
