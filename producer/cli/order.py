"""The options that `preview` and `send` share, turned into an order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from producer.cli.files import (
    Lists,
    country_options,
    form_options,
    make_countries,
    make_form,
    say_how_read,
)
from producer.cli.handing import slow_words
from producer.cli.output import Meter, ask, echo_left_out
from producer.cli.piped import as_file
from producer.cli.texts import make_characters, make_locale, make_texts, text_options
from producer.cli.times import is_over, local_words
from producer.cli.timing import make_leaves_at, make_timing, now, read_duration, timing_options
from producer.cli.words import require_plain
from producer.optouts import forgotten, looking
from producer.preview import OnMessage, Order, Preview, preview
from producer.recipients import Form
from producer.schedule.timing import Timing
from producer.wording import Characters, Languages
from worker.errors import ConfigError, InputError
from worker.ledger.claims import Identity
from worker.ledger.drafts import NewCampaign
from worker.ledger.scopes import purpose_named
from worker.providers import Account, account_named
from worker.settings import Settings
from worker.states import Late
from worker.text.counting import counted
from worker.text.msisdn import Countries

LONGEST_KEY = 100
NO_LISTS = Lists()
_FOR_EVER_MS = 10**13  # 300 years

F = TypeVar("F", bound=Callable[..., Any])


purpose_option = click.option(
    "--purpose",
    metavar="NAME",
    help="What it is for: who opted out of that is left out. Default: marketing, or as in the settings.",
)


def order_options(command: F) -> F:
    """Add the file, the text, the provider and what changes them."""
    command = form_options(country_options(command))  # what comes first stands last in the help
    for option in reversed(
        (
            click.argument("file", type=click.Path(path_type=Path)),
            text_options(help_text="The message; {{ first_name }} takes a column's value."),
            click.option("--via", "provider", required=True, help="Provider, as named in bulksend.toml."),
            click.option("--sender", help="What the handset shows; default is the provider's."),
            click.option("--name", help="Name of the campaign; default is the file's."),
            click.option("--column", help="Column with the numbers, where it has no usual name."),
            click.option("--country", help="Country of numbers without country code, such as DK."),
            click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="Gateway option."),
            purpose_option,
            click.option(
                "--skip-reached",
                metavar="TIME",
                help="Leave out who got, or may have got, the same text within it: 30d.",
            ),
        )
    ):
        command = option(command)
    return timing_options(command)


def make_order(settings: Settings, given: dict[str, Any]) -> Order:
    """Make an order of what was given on the command line.

    Raises:
        ConfigError: no such provider, no sender, an option without a value, or one that is no plain text; a
            time that is none, or that nobody would keep.
    """
    account = account_named(settings, given["provider"])
    fallback, now_ms = _fallback_of(settings, account), now()
    leaves_at = make_leaves_at(settings, account, given, now_ms=now_ms)
    template, languages = make_texts(given)  # which may come from standard input, where the file does not
    form, path = make_form(given), as_file(given["file"])
    given = {**given, "file": path, "form": form}
    timing = None if leaves_at else make_timing(settings, account, fallback, given, now_ms=now_ms)
    sender = given["sender"] or account.provider.sender
    if not sender:
        raise ConfigError(f"No sender: give --sender, or sender = in [providers.{account.name}]")
    require_plain("the name of the file", path.name, advice="rename it")
    require_plain("--name", given["name"] or "")
    require_plain("--language-column", given["language_column"] or "")
    require_plain("the sender", sender)
    for written in given["options"]:
        require_plain("--option", written)
    options = dict(map(_option, given["options"]))
    return Order(
        path=path,
        template=template,
        account=account,
        sender=sender,
        name=given["name"] or path.stem,
        column=given["column"],
        country=given["country"],
        countries=make_countries(account, given),
        form=form,
        options=options,
        fallback=fallback,
        leaves_at=leaves_at,
        timing=timing,
        wants_notice=settings.notice.is_wanted,
        languages=languages,
        locale=make_locale(given),
        characters=make_characters(account, given, options),
        purpose=make_purpose(given["purpose"], default=settings.campaigns.purpose),
        skip_reached_ms=read_duration("--skip-reached", given.get("skip_reached")),
        keeps_columns=settings.campaigns.keep_columns,
    )


def make_purpose(written: str | None, *, default: str) -> str:
    """Read the purpose of a campaign; raises ConfigError."""
    try:
        return purpose_named(written or default)
    except ConfigError as error:
        raise ConfigError(f"--purpose: {error}") from None


def look_up(settings: Settings, order: Order, *, is_needed: bool) -> Order:
    """Let an order look its numbers up in the ledger.

    Where there is one that cannot be read that is said, unless it ``is_needed``: what needs it says so then.
    """
    looked_up, why_not = looking(settings.ledger, order)
    if why_not and not is_needed:
        click.echo(f"Opt-outs are not looked up: {why_not}", err=True)
    say_forgotten(settings, looked_up)
    return looked_up


def say_forgotten(settings: Settings, order: Order) -> None:
    """Say where nobody can tell any more who got the same text: those campaigns were pruned."""
    if n := forgotten(settings.ledger, order):
        were = counted(n, "campaign", verb="was")
        click.echo(f"--skip-reached: {were} pruned, and who got those texts is not known", err=True)


def remake_order(settings: Settings, kept: NewCampaign) -> Order:
    """Make the order again that an interrupted campaign was begun with.

    Raises:
        ConfigError: its provider is not configured (any more).
        InputError: its file is not there (any more).
    """
    path = Path(str(kept.reading.get("path", kept.source)))
    if not path.is_file():
        raise InputError(
            f"{path} is not there (any more), so its import cannot be finished", code="file_missing"
        )
    account = account_named(settings, kept.provider)
    column, country = kept.reading.get("column"), kept.reading.get("country")
    form = Form.of_kept(cast("dict[str, Any]", kept.reading.get("form", {})))
    countries = cast("dict[str, Any] | None", kept.reading.get("countries"))
    timed = cast("dict[str, Any] | None", kept.reading.get("timing"))
    several = cast("dict[str, Any] | None", kept.reading.get("languages"))
    written = cast("dict[str, Any]", kept.reading.get("characters", {}))
    return Order(
        path=path,
        template=kept.template,
        account=account,
        sender=kept.sender,
        name=kept.name,
        column=None if column is None else str(column),
        country=None if country is None else str(country),
        countries=None if countries is None else Countries.parse(**countries),
        form=form,
        options=kept.options,
        fallback=_fallback_of(settings, account),
        lane=kept.lane,
        leaves_at=kept.leaves_at,
        timing=None if timed is None else Timing.of_kept(timed, path=path, late=kept.late, form=form),
        languages=None if several is None else Languages.of_kept(several),
        locale=cast("str | None", kept.reading.get("locale")),
        characters=Characters.of_kept(written, udh_bits=kept.udh_bits),
        purpose=kept.purpose,
        skip_reached_ms=cast("int | None", kept.reading.get("skip_reached_ms")),
        looked_at=cast("int | None", kept.reading.get("looked_at")),
        keeps_columns=kept.headers is not None,
    )


def require_ahead(order: Order, step: str) -> None:
    """Refuse an order whose time is over; raises InputError with the step that helps."""
    if order.leaves_at is not None and is_over(order.leaves_at):
        raise InputError(f"The time until which the gateway was to keep it is over: {step}", code="time_over")


def confirm_late(order: Order, found: Preview, *, late_s: float, yes: bool) -> None:
    """Go on with an order whose start was missed, or whose validity is over, only when that is wanted."""
    timing, starts_at = order.schedule, found.plan.starts_at
    if timing is None or starts_at is None:
        return
    if timing.validity_ms is not None and is_over(starts_at + timing.validity_ms):
        ends = local_words(starts_at + timing.validity_ms, timing.shown_in)
        click.echo(f"From {ends} on it is not worth sending any more: it will be given up", err=True)
        ask("Import it all the same?", yes=yes)
        return
    if not timing.is_timed or timing.late is Late.SEND:
        return
    if is_over(starts_at + round(1000 * late_s)):
        click.echo(f"It was to start at {local_words(starts_at, timing.shown_in)}", err=True)
        ask("Send it now?", yes=yes)


def _fallback_of(settings: Settings, account: Account) -> Account | None:
    name = account.provider.fallback
    return None if name is None else account_named(settings, name)


def make_identity(
    settings: Settings, order: Order, found: Preview, *, key: str | None, again: bool = False
) -> Identity:
    """Say what makes a repeat of a previewed order, within the time that the settings give.

    One that is for a certain time is the same order for ever.
    """
    is_dated = order.leaves_at is not None or (order.timing is not None and order.timing.is_dated)
    repeat_ms = _FOR_EVER_MS if is_dated else round(settings.timers.repeat * 1000)
    return Identity(content=found.content, repeat_ms=repeat_ms, key=key, again=again)


def require_key(key: str | None) -> None:
    """Refuse what is no key of --key; raises ConfigError."""
    if key is not None and not (0 < len(key) <= LONGEST_KEY and key.isprintable()):
        raise ConfigError(f"--key: write 1 to {LONGEST_KEY} printable characters")


def _option(written: str) -> tuple[str, str]:
    name, found, value = written.partition("=")
    if not found or not name or not value:
        raise ConfigError(f"--option {written}: write NAME=VALUE")
    return name.strip(), value.strip()


def read_order(order: Order, *, on_message: OnMessage | None = None, lists: Lists = NO_LISTS) -> Preview:
    """Preview an order with progress by bytes, and list what is refused or dropped."""
    with lists.filled() as refused, Meter("Reading", total=_size(order.path), unit="bytes") as meter:
        found = preview(order, on_message=on_message, on_bytes=meter.advance, on_problem=refused)
    lists.write_doubles(found)
    say_how_read(found)
    for words in filter(None, (found.no_fallback, slow_words(order, found))):
        click.echo(words, err=True)
    if found.skips:
        echo_left_out(found)
    return found


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # opening it says what is wrong
