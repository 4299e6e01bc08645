"""When rows leave that are added to a campaign whose own time may be over."""

from dataclasses import replace
from pathlib import Path

import pytest

from producer.adding import as_frozen
from producer.preview import Order, preview
from producer.schedule.timing import Timing
from tests.ledgers import a_campaign
from worker.ledger.adding import Ground
from worker.ledger.drafts import NewMessage
from worker.providers import account_named
from worker.settings import load_settings
from worker.timing.hours import parse_hours
from worker.timing.windows import Windows
from worker.timing.words import Instant

NOW_MS = 1_900_000_000_000  # 2030-03-17T17:46:40Z
HOUR_MS = 3_600_000
SETTINGS = """
[providers.acme]
gateway = "cpsms"
username = "acme"
secret = "env:ACME_KEY"
sender = "ACME"
country = "DK"
price = "0.99 DKK"
"""


def added(folder: Path, timing: Timing | None, *, starts_at: int | None = None, **kept: str) -> NewMessage:
    """Return the one message of a file that is added now."""
    (folder / "bulksend.toml").write_text(SETTINGS)
    (folder / "more.csv").write_text("msisdn\n+4520304050\n")
    order = Order(
        path=folder / "more.csv",
        template="Hello",
        account=account_named(load_settings(folder / "bulksend.toml"), "acme"),
        sender="ACME",
        name="spring",
        timing=timing,
    )
    campaign = replace(a_campaign(), reading={"prices": {"acme": "0.35 DKK"}}, **kept)  # type: ignore[arg-type]
    ground = Ground(id=1, campaign=campaign, last=0, starts_at=starts_at)
    found: list[NewMessage] = []
    frozen = as_frozen(order, ground, there=lambda _: (), now_ms=NOW_MS)
    preview(frozen, on_message=lambda message, _: found.append(message))
    (message,) = found
    return message


def timing(start_ms: int, **more: int) -> Timing:
    """Make that of a campaign that was sent a day ago for a certain time."""
    return Timing(now_ms=NOW_MS - 24 * HOUR_MS, when=Instant(start_ms), **more)  # type: ignore[arg-type]


def test_a_campaign_without_a_time_gets_rows_that_leave_at_once(tmp_path: Path) -> None:
    assert added(tmp_path, None).due_at is None


@pytest.mark.parametrize(("ahead_ms", "due_ms"), [(HOUR_MS, HOUR_MS), (-HOUR_MS, 0)], ids=["ahead", "over"])
def test_rows_leave_at_the_start_of_the_campaign_or_now_where_that_is_over(
    tmp_path: Path, ahead_ms: int, due_ms: int
) -> None:
    message = added(tmp_path, timing(NOW_MS + ahead_ms))

    assert message.due_at == NOW_MS + due_ms


def test_the_validity_of_rows_that_are_added_late_counts_from_now(tmp_path: Path) -> None:
    message = added(tmp_path, timing(NOW_MS - 2 * HOUR_MS, validity_ms=HOUR_MS))

    assert message.expires_at == NOW_MS + HOUR_MS


def test_rows_leave_in_the_windows_that_the_campaign_was_given(tmp_path: Path) -> None:
    frozen = Windows(open=(parse_hours("09:00-12:00"),))

    message = added(tmp_path, timing(NOW_MS - HOUR_MS), windows=frozen.to_json())

    assert message.due_at is not None
    assert message.due_at > NOW_MS + 12 * HOUR_MS  # the next morning


@pytest.mark.parametrize("is_plain", [True, False])
def test_rows_do_not_leave_before_what_was_rescheduled(tmp_path: Path, *, is_plain: bool) -> None:
    before = None if is_plain else timing(NOW_MS + HOUR_MS)

    message = added(tmp_path, before, starts_at=NOW_MS + 5 * HOUR_MS)

    assert message.due_at == NOW_MS + 5 * HOUR_MS


def test_a_part_costs_what_it_cost_when_the_campaign_was_made(tmp_path: Path) -> None:
    assert added(tmp_path, None).price_micros == 350_000
