"""A schedule that is handed to the gateway, and taken back."""

import json
import os
import re
import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from tests.e2e.place import DEADLINE_S, Place
from tests.e2e.warm import Warm
from tests.sandbox.running import Sandbox
from worker.ledger.engine import writing
from worker.ledger.models import BATCHES, CAMPAIGNS, MESSAGES
from worker.waiting import within

ORDER = ("send", "members.csv", "--text", "See you at 9", "--via", "acme")
TO_GATEWAY = ("--schedule-at", "gateway")


def ahead(minutes: float) -> str:
    """Write a time that is so far ahead."""
    return (datetime.now(tz=UTC) + timedelta(minutes=minutes)).isoformat(timespec="seconds")


@pytest.fixture
def place(place: Place) -> Place:
    place.write_numbers("members.csv", 3)
    return place


def send(place: Place, *, minutes: float) -> None:
    """Hand a campaign over, to its end."""
    place.run(*ORDER, "--at", ahead(minutes), *TO_GATEWAY, "--yes", "--wait")
    assert place.counts() == {"accepted": 3}


def test_what_the_gateway_keeps_is_taken_back_by_a_cancel(place: Place, gateway: Sandbox, warm: Warm) -> None:
    send(place, minutes=30)
    shown = warm.run(place, "campaign", "show", "1", "--json").json

    cancelled = warm.run(place, "campaign", "cancel", "1", "--yes")
    again = warm.run(place, "campaign", "cancel", "1", "--yes")

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", shown["leaves_at"])
    assert (cancelled.code, again.code) == (0, 0)
    assert "Taken back from the gateway: 3 messages" in cancelled.err
    assert place.counts() == {"cancelled": 3}
    assert gateway.stats()["cancelled"] == 3
    assert warm.run(place, "doctor", "--json").code == 0


@pytest.mark.parametrize("says", [409, 200])
def test_what_the_gateway_does_not_give_back_any_more_stays_accepted(
    place: Place, gateway: Sandbox, warm: Warm, says: int
) -> None:
    gateway.set_faults(delete_nothing=says)
    send(place, minutes=5)

    cancelled = warm.run(place, "campaign", "cancel", "1", "--yes")

    assert cancelled.code == 3
    assert "Not taken back from acme: 3 messages; it is too late" in cancelled.err
    assert place.counts() == {"accepted": 3}
    assert gateway.stats()["cancelled"] == 0


def test_a_worker_takes_back_what_could_not_be_told_from_here(
    place: Place, gateway: Sandbox, warm: Warm
) -> None:
    send(place, minutes=30)
    secret = place.environment.pop("ACME_KEY")
    silent = warm.run(place, "campaign", "cancel", "1", "--yes")
    place.environment["ACME_KEY"] = secret

    with place.started("worker"):
        is_back = within(DEADLINE_S, lambda: place.counts() == {"cancelled": 3}, every_s=0.1)

    assert silent.code == 3
    assert "Not taken back from acme: 3 messages; providers.acme.secret" in silent.err
    assert is_back
    assert gateway.stats()["cancelled"] == 3


def queue_one_again(place: Place) -> None:
    """Let a message of the campaign look as one that was not handed over yet."""
    with writing(place.engine) as connection:
        connection.execute(update(MESSAGES).where(MESSAGES.c.id == 1).values(state="queued"))
        connection.execute(update(BATCHES).values(state="open", accepted=2, queued=1))


@pytest.mark.parametrize(("is_done", "code"), [(False, 0), (True, 1)])
def test_a_pause_says_what_it_does_not_hold_back(
    place: Place, warm: Warm, code: int, *, is_done: bool
) -> None:
    send(place, minutes=30)
    if not is_done:
        queue_one_again(place)

    paused = warm.run(place, "campaign", "pause", "1")

    assert paused.code == code
    assert "What its gateway keeps until its time is not held back by a pause" in paused.err


def test_a_pause_of_a_provider_says_what_it_does_not_hold_back(place: Place, warm: Warm) -> None:
    send(place, minutes=30)

    paused = warm.run(place, "provider", "pause", "acme", "--reason", "test")

    assert "What its gateway keeps until its time is not held back by that: 3 messages" in paused.err


def test_what_is_late_goes_on_after_a_pause_only_after_a_yes(place: Place, warm: Warm) -> None:
    send(place, minutes=30)
    queue_one_again(place)
    warm.run(place, "campaign", "pause", "1")
    with writing(place.engine) as connection:
        connection.execute(update(CAMPAIGNS).values(leaves_at=1_000))

    refused = warm.run(place, "campaign", "resume", "1")
    between = place.report().state
    resumed = warm.run(place, "campaign", "resume", "1", "--yes")

    assert (refused.code, between, resumed.code) == (1, "paused", 0)
    assert "They were to leave at 1970-01-01 01:00:01 +01:00: 1 message is queued and late" in refused.err
    assert place.report().state == "running"


def make_late(place: Place) -> None:
    """Let the time of the campaign be over, and a message of it still be queued."""
    queue_one_again(place)
    with writing(place.engine) as connection:
        connection.execute(update(CAMPAIGNS).values(leaves_at=1_000))


def test_what_is_late_goes_on_with_its_provider_only_after_a_yes(place: Place, warm: Warm) -> None:
    send(place, minutes=30)
    make_late(place)
    warm.run(place, "provider", "pause", "acme")

    refused = warm.run(place, "provider", "resume", "acme")
    (between,) = json.loads(warm.run(place, "provider", "list", "--json").out)
    resumed = warm.run(place, "provider", "resume", "acme", "--yes")
    (after,) = json.loads(warm.run(place, "provider", "list", "--json").out)
    again = warm.run(place, "provider", "resume", "acme")  # it is open: nobody is asked

    assert (refused.code, between["state"]) == (1, "paused")
    assert (resumed.code, after["state"], again.code) == (0, "open", 0)
    assert "They were to leave at 1970-01-01 01:00:01 +01:00: 1 message is queued and late" in refused.err
    assert "--yes" in refused.err


@pytest.mark.parametrize("values", [{"state": "paused"}, {"leaves_at": 10**13}, {"leaves_at": None}])
def test_a_provider_goes_on_unasked_where_that_makes_nothing_late(
    place: Place, warm: Warm, values: dict[str, object]
) -> None:
    send(place, minutes=30)
    make_late(place)
    with writing(place.engine) as connection:
        connection.execute(update(CAMPAIGNS).values(values))
    warm.run(place, "provider", "pause", "acme")

    resumed = warm.run(place, "provider", "resume", "acme")

    assert (resumed.code, resumed.err) == (0, "Provider acme goes on\n")


def test_what_cannot_be_taken_back_any_more_is_said_before(place: Place, warm: Warm) -> None:
    refused = warm.run(place, *ORDER, "--at", ahead(5), *TO_GATEWAY)

    assert "nothing takes it back any more: that ends 11 minutes before" in refused.err


@pytest.mark.parametrize(("minutes", "is_said"), [(30, True), (300, False)])
def test_a_handing_over_that_lasts_too_long_is_said_before(
    place: Place, warm: Warm, minutes: float, *, is_said: bool
) -> None:
    settings = place.folder / "bulksend.toml"
    place.write(settings.name, settings.read_text(encoding="utf-8") + 'rate = "1/h"\n')

    found = warm.run(place, "preview", *ORDER[1:], "--at", ahead(minutes), *TO_GATEWAY)

    assert found.code == 0
    assert ("handing over lasts until" in found.err) is is_said


def test_a_time_that_comes_before_the_order_is_given_is_over(place: Place, warm: Warm) -> None:
    file = place.folder / "members.csv"
    rows = file.read_text(encoding="utf-8")
    file.unlink()
    os.mkfifo(file)
    at = datetime.now(tz=UTC) + timedelta(seconds=3)

    def write() -> None:
        with file.open("w", encoding="utf-8") as pipe:  # which waits until the command reads it
            within(DEADLINE_S, lambda: datetime.now(tz=UTC) > at)
            pipe.write(rows)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    late = warm.run(place, *ORDER, "--at", at.isoformat(timespec="milliseconds"), *TO_GATEWAY, "--yes")

    assert late.code == 1
    assert "is over: give a later one with --at" in late.err
    assert place.n_campaigns() == 0


def test_it_is_handed_over_only_after_a_yes(place: Place, warm: Warm) -> None:
    refused = warm.run(place, *ORDER, "--at", ahead(30), *TO_GATEWAY)

    assert refused.code == 1
    assert "a pause cannot hold back what it keeps" in refused.err
    assert "`bulksend campaign cancel` takes it back until 11 minutes before" in refused.err
    assert "--yes" in refused.err
    assert place.n_campaigns() == 0


def test_the_same_at_another_time_is_no_repeat(place: Place, warm: Warm) -> None:
    at = ahead(30)
    codes = [warm.run(place, *ORDER, "--at", when, *TO_GATEWAY, "--yes").code for when in (at, at, ahead(60))]

    assert codes == [0, 1, 0]


def interrupt(place: Place, **values: object) -> None:
    """Let the import of the campaign look as one that was killed."""
    with writing(place.engine) as connection:
        begun = update(CAMPAIGNS).values(state="importing", importing_until=0, due_at=None, **values)
        connection.execute(begun)


def test_an_interrupted_import_is_finished_with_its_time(place: Place, warm: Warm) -> None:
    warm.run(place, *ORDER, "--at", ahead(30), *TO_GATEWAY, "--yes")
    before = place.report().leaves_at
    interrupt(place)

    resumed = warm.run(place, "campaign", "resume", "1")

    assert resumed.code == 0
    assert place.report().state == "running"
    assert place.report().leaves_at == before


def test_an_interrupted_import_whose_time_is_over_is_not_finished(place: Place, warm: Warm) -> None:
    warm.run(place, *ORDER, "--at", ahead(30), *TO_GATEWAY, "--yes")
    interrupt(place, leaves_at=1_000)

    resumed = warm.run(place, "campaign", "resume", "1")

    assert resumed.code == 1
    assert "is over: put it away with `bulksend campaign discard 1`" in resumed.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--at", "2000-01-01T00:00Z", *TO_GATEWAY), "this time is over"),
        (("--at", "2199-12-31T23:59-12:00", *TO_GATEWAY), "too far away"),
        (("--at", "9999-12-31T23:59-12:00", *TO_GATEWAY), "after 2199"),
        (("--at", "tomorrow", *TO_GATEWAY), "no time of the day"),
        (("--at", "tomorrow 09:00", "--zone", "recipient", *TO_GATEWAY), "one zone"),
        (("--at", "tomorrow 09:00", "--over", "3h", *TO_GATEWAY), "--over"),
        (TO_GATEWAY, "--at"),
    ],
)
@pytest.mark.parametrize("command", ["send", "preview"])
def test_a_time_that_nobody_keeps_is_a_usage_error(
    lone_place: Place, warm: Warm, command: str, words: tuple[str, ...], says: str
) -> None:
    done = warm.run(lone_place, command, *ORDER[1:], *words)

    assert done.code == 2
    assert says in done.err
    assert len(done.err.splitlines()) == 1
