"""Times that Bulksend keeps itself: a start, windows, validity, a spread, and another time."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update

from producer.schedule.moving import Target
from tests.e2e.place import DEADLINE_S, Place
from tests.e2e.test_import_killed import has_begun
from tests.e2e.warm import Warm
from tests.ledgers import do, due_rows, lease, mark, not_sent, record, rows, run_campaign
from tests.sandbox.running import Sandbox
from worker.ledger import rescheduling
from worker.ledger.engine import reading, writing
from worker.ledger.half_moved import Wish
from worker.ledger.models import CAMPAIGNS, MESSAGES
from worker.waiting import within

HOUR_MS = 3_600_000
ORDER = ("send", "members.csv", "--text", "See you", "--via", "acme")
PREVIEW = ("preview", *ORDER[1:])


@pytest.fixture
def place(place: Place) -> Place:
    place.write_numbers("members.csv", 3)
    return place


@pytest.fixture
def lone_place(lone_place: Place) -> Place:
    lone_place.write_numbers("members.csv", 3)
    return lone_place


def ahead(seconds: float) -> str:
    """Write a time that is so far ahead, with its offset."""
    return (datetime.now(tz=UTC) + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


def stamps(gateway: Sandbox) -> list[datetime]:
    """Return when the simulator accepted each message."""
    return [datetime.fromtimestamp(float(row["time"]), tz=UTC) for row in gateway.accepted()]


def shut_now() -> str:
    """Give an hour that opens some hours from now on the clocks of Denmark."""
    hour = (datetime.now(tz=UTC) + timedelta(hours=6)).hour
    return f"{hour:02}:00-{(hour + 1) % 24:02}:00"


def test_nothing_leaves_before_its_start_and_all_of_it_then(place: Place, gateway: Sandbox) -> None:
    at = datetime.now(tz=UTC) + timedelta(seconds=9)

    done = place.run(*ORDER, "--at", at.isoformat(timespec="milliseconds"), "--wait")

    assert len(stamps(gateway)) == 3
    assert all(at <= stamp <= at + timedelta(seconds=5) for stamp in stamps(gateway))
    assert re.search(r"It leaves from \d{4}-\d\d-\d\d \d\d:\d\d [+-]\d\d:\d\d", done.err)
    assert "starts in" in done.err
    assert "No worker has begun" not in done.err


def test_without_waiting_it_is_left_to_the_worker_at_once(lone_place: Place, warm: Warm) -> None:
    begun = datetime.now(tz=UTC)

    sent = warm.run(lone_place, *ORDER, "--at", ahead(7200), "--json")
    shown = warm.run(lone_place, "campaign", "show", "1", "--json").json
    listed = warm.run(lone_place, "campaign", "list")

    assert datetime.now(tz=UTC) - begun < timedelta(seconds=20)
    assert "It starts by itself where a worker runs" in sent.err
    assert sent.json["starts_at"] == shown["starts_at"] == shown["next_due_at"]
    assert shown["state"] == "running"
    assert [part["messages"] for part in shown["scheduled"]] == [3]
    assert "it is scheduled" in listed.out
    starts_at = datetime.fromisoformat(shown["starts_at"]).astimezone(ZoneInfo("Europe/Copenhagen"))
    assert re.search(rf"  {starts_at:%Y-%m-%d} \d\d:\d\d [+-]\d\d:\d\d  it is scheduled", listed.out)


def test_a_window_that_is_shut_now_moves_it(lone_place: Place, warm: Warm) -> None:
    window = ("--window", shut_now())

    found = warm.run(lone_place, *PREVIEW, *window)
    sent = warm.run(lone_place, *ORDER, *window)
    shown = warm.run(lone_place, "campaign", "show", "1", "--json").json

    assert (found.code, sent.code) == (0, 0)
    assert "3 messages are moved by a window" in found.err
    opens_at = datetime.fromisoformat(shown["next_opening"]["opens_at"])
    assert datetime.now(tz=UTC) < opens_at == datetime.fromisoformat(shown["next_due_at"])
    assert warm.run(lone_place, "doctor", "--json").json["campaigns"][0]["counts"]["queued"] == 3


def test_quiet_hours_of_the_provider_hold_without_being_asked_for(lone_place: Place, warm: Warm) -> None:
    settings = lone_place.folder / "bulksend.toml"
    hour = datetime.now(tz=UTC).hour
    quiet = f'quiet = "{(hour - 3) % 24:02}:00-{(hour + 4) % 24:02}:00"\n'
    lone_place.write(settings.name, settings.read_text(encoding="utf-8") + quiet)

    found = warm.run(lone_place, *PREVIEW, "--json").json

    assert found["moved"] == 3
    assert datetime.fromisoformat(found["starts_at"]) > datetime.now(tz=UTC)


def test_what_could_not_leave_in_time_fails_and_is_never_sent(place: Place, gateway: Sandbox) -> None:
    place.run(*ORDER, "--validity", "1s")

    within(2, lambda: False)  # the time in which it could have left
    with place.started("worker"):
        is_over = within(DEADLINE_S, lambda: place.counts() == {"failed": 3}, every_s=0.1)

    assert is_over
    assert gateway.stats()["accepted"] == 0


def test_each_row_has_its_own_time(lone_place: Place, warm: Warm) -> None:
    rows = ["+4520000001,31/01/2031 09:00", "+4520000002,02/01/2031 10:00", "+4520000003,soon"]
    lone_place.write("members.csv", "msisdn,at\n" + "\n".join(rows) + "\n")
    timed = ("--at-column", "at", "--at-format", "%d/%m/%Y %H:%M")

    refused = warm.run(lone_place, *ORDER, *timed)
    far = warm.run(lone_place, *PREVIEW, *timed, "--json").json

    assert refused.code == 1
    assert "time_unreadable: 1" in refused.err
    assert far["reasons"] == {"time_too_far": 2, "time_unreadable": 1}


def test_the_same_at_another_date_is_no_repeat_and_at_the_same_it_is(lone_place: Place, warm: Warm) -> None:
    first, second = ahead(7200), ahead(9000)

    codes = [warm.run(lone_place, *ORDER, "--at", at).code for at in (first, second, first)]

    assert codes == [0, 0, 1]


def test_a_count_from_now_is_a_repeat(lone_place: Place, warm: Warm) -> None:
    codes = [warm.run(lone_place, *ORDER, "--at", "in 2h").code for _ in range(2)]

    assert codes == [0, 1]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--at", "31/01/2031 09:00"), "--at"),
        (("--at", ahead(-5)), "this time is over"),
        (("--over", "1s", "--at", ahead(86_400)), "--over"),
        (("--schedule-at", "gateway", "--at", ahead(86_400), "--window", "09:00-20:00"), "--window"),
    ],
)
def test_what_cannot_be_kept_is_refused(
    lone_place: Place, warm: Warm, words: tuple[str, ...], says: str
) -> None:
    settings = lone_place.folder / "bulksend.toml"
    lone_place.write(settings.name, settings.read_text(encoding="utf-8") + 'rate = "1/s"\n')

    refused = warm.run(lone_place, *ORDER, *words)

    assert refused.code in {1, 2}
    assert says in refused.err
    assert refused.err.count("\n") == 1


def test_it_is_moved_and_leaves_then(place: Place, gateway: Sandbox, warm: Warm) -> None:
    warm.run(place, *ORDER, "--at", ahead(7200))
    at = datetime.now(tz=UTC) + timedelta(seconds=6)

    moved = warm.run(place, "campaign", "reschedule", "1", "--at", at.isoformat(timespec="milliseconds"))
    with place.started("worker"):
        is_done = within(DEADLINE_S, lambda: place.counts() == {"accepted": 3}, every_s=0.1)

    assert "3 messages were moved" in moved.err
    assert is_done
    assert all(stamp >= at for stamp in stamps(gateway))
    again = warm.run(place, "campaign", "reschedule", "1", "--by", "2h")
    assert again.code == 1
    assert again.err.count("\n") == 1


def test_what_comes_back_while_it_is_rescheduled_is_moved_too(lone_place: Place) -> None:
    engine = lone_place.engine
    held = lease(engine, run_campaign(engine, 3), lease_ms=600_000)
    (marked,) = mark(engine, held, due_rows(engine, held)[:2], lease_ms=600_000)
    at = datetime.now(tz=UTC) + timedelta(hours=2)

    with lone_place.started("campaign", "reschedule", "1", "--at", at.isoformat()) as order:
        is_waiting = order.says("on their way to the gateway still: 2 messages")
        record(engine, not_sent(marked))
        code = order.wait()

    assert (is_waiting, code) == (True, 0)
    assert "3 messages were moved" in order.said
    assert {row["due_at"] for row in rows(engine)} == {int(1000 * at.timestamp())}


def test_an_import_that_was_killed_is_finished_with_the_same_times(lone_place: Place, warm: Warm) -> None:
    lone_place.write_numbers("members.csv", 20_000)
    timed = ("--at", ahead(7200), "--over", "3h", "--window", "00:00-24:00 mon-sun", "--validity", "2h")
    with lone_place.started(*ORDER, "--yes", *timed) as killed:
        assert within(DEADLINE_S, lambda: has_begun(lone_place), every_s=0.001)
        killed.process.kill()
        killed.wait()
    with writing(lone_place.engine) as connection:  # nobody waits half a minute for its lease to run out
        connection.execute(update(CAMPAIGNS).values(importing_until=1))
    n_before = lone_place.counts()["queued"]

    resumed = warm.run(lone_place, "campaign", "resume", "1")

    assert 0 < n_before < 20_000
    assert resumed.code == 0
    assert lone_place.counts() == {"queued": 20_000}
    with reading(lone_place.engine) as connection:
        due = list(connection.scalars(select(MESSAGES.c.due_at).order_by(MESSAGES.c.line)))
    assert due == sorted(due)
    assert due[-1] - due[0] == 19_999 * 3 * HOUR_MS // 20_000


def test_a_further_file_with_times_of_its_own_keeps_them_and_that_is_said(
    lone_place: Place, warm: Warm
) -> None:
    at = ahead(7200)
    lone_place.write("timed.csv", f"msisdn,at\n+4520304050,{at}\n")
    lone_place.write("more.csv", f"msisdn,at\n+4520304051,{at}\n")
    warm.run(lone_place, "send", "timed.csv", *ORDER[2:], "--at-column", "at")
    warm.run(lone_place, "campaign", "reschedule", "1", "--by", "2h")

    added = warm.run(lone_place, "campaign", "add", "1", "more.csv")

    first, second = (int(str(row["due_at"])) for row in rows(lone_place.engine))
    assert added.code == 0
    assert "The rows of this file leave at their own times" in added.err
    assert first - second == 2 * HOUR_MS


def test_an_order_that_was_interrupted_is_finished_and_says_whose_it_is(
    lone_place: Place, warm: Warm
) -> None:
    warm.run(lone_place, *ORDER, "--at", ahead(7200))
    do(
        lone_place.engine,
        rescheduling.begin,
        1,
        Wish(words="--by 2h", target=LATER.kept),
        author="ann@office",
    )

    other = warm.run(lone_place, "campaign", "reschedule", "1", "--by", "3h")
    finished = warm.run(lone_place, "campaign", "reschedule", "1", "--finish")
    again = warm.run(lone_place, "campaign", "reschedule", "1", "--finish")

    assert (other.code, finished.code, again.code) == (1, 0, 1)
    assert "half-way through `reschedule --by 2h` of ann@office, 0 of 3 messages" in other.err
    assert "Going on with the order --by 2h of ann@office, 2" in finished.err
    assert "3 messages were moved" in finished.err
    assert lone_place.report().state == "running"


LATER = Target(now_ms=0, by_ms=2 * HOUR_MS)
