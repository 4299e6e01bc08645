"""`bulksend remind`: one file after the other, with real workers, and the simulator counting."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from tests.e2e.place import DEADLINE_S, ROOT, Place
from tests.e2e.warm import Warm
from tests.sandbox.running import Sandbox
from worker.ledger.engine import reading, writing
from worker.ledger.models import BATCHES, CAMPAIGNS, MESSAGES, REMINDERS
from worker.waiting import within

BASE = ("remind", "visits.csv", "--text", "{{ name }} at {{ appointment }}", "--via", "acme")
ORDER = (*BASE, "--column", "appointment", "--before", "1h", "--key", "id")
N = 10_000  # in 20 batches, and no more than is asked about
LATEST_S = 30.0  # a busy machine; how late it is on a quiet one is for the benchmark


def due_in(seconds: float) -> str:
    """Return an appointment of which is reminded so soon."""
    at = datetime.now(tz=UTC) + timedelta(hours=1, seconds=seconds)
    return at.isoformat(timespec="seconds")  # as a file has it


def write(place: Place, appointments: dict[str, str]) -> None:
    """Write a file of appointments by key, the key in the number too."""
    rows = "".join(f"+45{20000000 + int(key)},{key},Ann {key},{at}\n" for key, at in appointments.items())
    place.write("visits.csv", f"msisdn,id,name,appointment\n{rows}")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def own_place(place: Place, request: pytest.FixtureRequest) -> Iterator[Place]:
    """Give a place with either kind of ledger."""
    if request.param == "postgres":
        place.configure(ledger=request.getfixturevalue("postgres_url"))
    yield place
    place.engine.dispose()


def test_each_reminder_leaves_once_and_at_its_time_as_the_files_say_it(
    own_place: Place, gateway: Sandbox, warm: Warm
) -> None:
    place = own_place
    soon, later = due_in(10), due_in(7200)
    first = {str(key): soon if key < 3 else later for key in range(20)}
    write(place, first)
    with place.started("worker") as worker:
        warm.run(place, *ORDER)
        assert within(DEADLINE_S, lambda: gateway.stats()["accepted"] == 3, every_s=0.1)

        again, added = due_in(10), due_in(10)
        second = {**first, "0": again, "3": again, "20": added}
        del second["4"]
        write(place, second)
        told = warm.run(place, *ORDER, "--json").json
        repeated = warm.run(place, *ORDER, "--json").json
        assert within(DEADLINE_S, lambda: gateway.stats()["accepted"] == 6, every_s=0.1)
        worker.signal(signal.SIGTERM)
        assert worker.wait() == 0

    names = ("messages", "moved", "moved_after_sending", "cancelled", "skips")
    assert [told[name] for name in names] == [
        *(2, 1, 1, 1),
        {"moved": 1, "past": 2, "unchanged": 15},
    ]
    assert [told[name] for name in ("new", "rewritten", "unchanged")] == [1, 0, 15]
    assert (repeated["campaign_id"], repeated["messages"], repeated["cancelled"]) == (None, 0, 0)
    texts = [(row["text"], row["time"]) for row in gateway.accepted()]
    assert sorted(text for text, _ in texts) == sorted(
        [f"Ann {key} at {soon}" for key in range(3)]
        + [f"Ann {key} at {again}" for key in (0, 3)]
        + [f"Ann 20 at {added}"]
    )
    lateness = [late_s(text, at) for text, at in texts]
    assert min(lateness) >= 0, lateness
    assert max(lateness) < LATEST_S, lateness
    assert (place.counts(1), place.counts(2)) == (
        {"accepted": 4, "cancelled": 1, "queued": 15},
        {"accepted": 2},
    )
    assert place.run("doctor", "--json", code=None).json["problems"] == []


def test_who_had_a_wrong_number_is_reminded_once_the_file_is_right(
    own_place: Place, gateway: Sandbox, warm: Warm
) -> None:
    place, soon = own_place, due_in(10)
    gateway.set_faults(refuse_numbers=["20000001"])
    write(place, {"0": soon, "1": soon})
    with place.started("worker"):
        warm.run(place, *ORDER)
        assert within(DEADLINE_S, lambda: place.counts() == {"accepted": 1, "rejected": 1}, every_s=0.1)
        path = place.folder / "visits.csv"
        place.write("visits.csv", path.read_text(encoding="utf-8").replace("+4520000001", "+4520000011"))

        told = warm.run(place, *ORDER, "--preview", "--json").json
        done = warm.run(place, *ORDER)
        again = warm.run(place, *ORDER, "--json").json
        retried = warm.run(place, "campaign", "retry", "1", "--rejected", "--yes")
        assert within(DEADLINE_S, lambda: gateway.stats()["accepted"] == 2, every_s=0.1)

    assert [told[name] for name in ("corrected", "messages", "skips")] == [1, 1, {"past": 1}]
    assert "come to nothing at another number, so sent to that of the file: 1" in done.err
    assert (again["corrected"], again["messages"]) == (0, 0)
    assert "Left out, since a newer file of appointments took them back: 1" in retried.err
    assert sorted(row["msisdn"] for row in gateway.accepted()) == ["+4520000000", "+4520000011"]
    assert (place.counts(1), place.counts(2)) == ({"accepted": 1, "rejected": 1}, {"accepted": 1})
    assert place.run("doctor", "--json", code=None).json["problems"] == []


def late_s(text: str, at: float) -> float:
    """Return how long after it was due a message came."""
    due_at = datetime.fromisoformat(text.rpartition(" ")[2]) - timedelta(hours=1)
    return at - due_at.timestamp()


# --- killed


@pytest.fixture
def many(lone_place: Place) -> Place:
    """Give a place with a large file, and no gateway."""
    at = due_in(7 * 86_400)
    write(lone_place, {str(key): at for key in range(N)})
    return lone_place


def kill_when(place: Place, has_begun: Callable[[Place], bool], *words: str) -> None:
    """Begin a run, and kill it in the middle."""
    with place.started(*ORDER, "--yes", *words) as run:
        assert within(DEADLINE_S, lambda: has_begun(place), every_s=0.001)
        os.kill(run.process.pid, signal.SIGKILL)
        run.wait()
    with writing(place.engine) as connection:  # as if half a minute had passed
        connection.execute(
            update(CAMPAIGNS).where(CAMPAIGNS.c.state == "importing").values(importing_until=0)
        )


def has_batch(place: Place) -> bool:
    with reading(place.engine) as connection:
        return connection.scalar(select(BATCHES.c.id).limit(1)) is not None


def has_moved(place: Place) -> bool:
    return len(versions(place)) > 1


def versions(place: Place) -> dict[int, int]:
    """Count the messages that are queued, by the appointment they tell of."""
    query = (
        select(REMINDERS.c.version, func.count())
        .join(MESSAGES, MESSAGES.c.id == REMINDERS.c.message_id)
        .join(CAMPAIGNS, CAMPAIGNS.c.id == MESSAGES.c.campaign_id)
        .where(MESSAGES.c.state == "queued", CAMPAIGNS.c.state == "running")
        .group_by(REMINDERS.c.version)
    )
    with reading(place.engine) as connection:
        return {int(version): int(n) for version, n in connection.execute(query)}


def n_reminders(place: Place) -> int:
    with reading(place.engine) as connection:
        return int(connection.execute(select(func.count()).select_from(REMINDERS)).scalar_one())


def test_a_run_that_is_killed_has_released_nothing_and_the_next_doubles_nothing(
    many: Place, warm: Warm
) -> None:
    kill_when(many, has_batch)
    released = versions(many)
    shown = warm.run(many, "campaign", "show", "1", "--json").json
    resumed = warm.run(many, "campaign", "resume", "1")

    again = warm.run(many, *ORDER, "--yes", "--json")

    assert (released, shown["state"]) == ({}, "importing")
    assert "the same `bulksend remind` puts it away" in shown["reason"]
    assert (resumed.code, "give the same `bulksend remind` again" in resumed.err) == (1, True)
    assert (again.code, again.json["messages"]) == (0, N)
    assert list(versions(many).values()) == [N]
    assert (n_reminders(many), many.report(1).messages) == (N, 0)


def test_a_run_that_is_killed_while_it_moves_is_finished_by_the_next(many: Place, warm: Warm) -> None:
    warm.run(many, *ORDER, "--yes")
    at = due_in(8 * 86_400)
    write(many, {str(key): at for key in range(N)})
    kill_when(many, has_moved)
    half = versions(many)

    again = warm.run(many, *ORDER, "--yes", "--json")

    assert sum(half.values()) == N
    assert again.code == 0
    assert list(versions(many).values()) == [N]
    assert (n_reminders(many), many.counts(1)) == (N, {"queued": N})


# --- asked, refused, said


@pytest.fixture
def small(lone_place: Place, warm: Warm) -> Place:
    """Give a place with ten reminders of a series."""
    at = due_in(86_400)
    write(lone_place, {str(key): at for key in range(10)})
    assert warm.run(lone_place, *ORDER).code == 0
    return lone_place


def take_out(place: Place, n: int) -> None:
    """Leave the first appointments out of the file."""
    lines = (place.folder / "visits.csv").read_text(encoding="utf-8").splitlines()
    place.write("visits.csv", "\n".join([lines[0], *lines[1 + n :], ""]))


def test_a_fifth_is_cancelled_unasked(small: Place, warm: Warm) -> None:
    take_out(small, 2)

    done = warm.run(small, *ORDER, "--json")

    assert (done.code, done.json["removed"]) == (0, 2)
    assert small.counts() == {"queued": 8, "cancelled": 2}


def test_more_than_a_fifth_is_cancelled_by_no_yes(small: Place, warm: Warm) -> None:
    take_out(small, 3)

    refused = warm.run(small, *ORDER, "--yes")
    kept = warm.run(small, *ORDER, "--keep-removed", "--json")
    before = small.counts()
    done = warm.run(small, *ORDER, "--remove-many", "--json")

    assert refused.code == 1
    assert "3 of the 10 queued reminders of the series visits would be cancelled" in refused.err
    assert (kept.code, kept.json["removed"], before) == (0, 0, {"queued": 10})
    assert (done.code, done.json["removed"]) == (0, 3)


@pytest.mark.parametrize(
    "content", ["", "msisdn,id,name,appointment\n", "msisdn,id,name,appointment\n1,1,A,x\n"]
)
def test_an_empty_or_useless_file_cancels_nothing(small: Place, warm: Warm, content: str) -> None:
    small.write("visits.csv", content)

    done = warm.run(small, *ORDER, "--remove-many", "--yes")

    assert (done.code, small.counts()) == (1, {"queued": 10})


def test_a_refused_row_is_shown_and_stops_the_run(small: Place, warm: Warm) -> None:
    path = small.folder / "visits.csv"
    small.write("visits.csv", path.read_text(encoding="utf-8") + "none,11,Cy,2100-01-01T00:00Z\n")

    refused = warm.run(small, *ORDER)
    done = warm.run(small, *ORDER, "--accept-good-rows", "--json")

    assert refused.code == 1
    assert "1 of 11 rows is refused (number_not_a_number: 1)" in refused.err
    assert (done.code, done.json["refused"], done.json["skips"]) == (0, 1, {"unchanged": 10})


def test_the_list_names_the_series(small: Place, warm: Warm) -> None:
    listed = warm.run(small, "campaign", "list", "--json")

    assert '"series": "visits"' in listed.out
    assert "visits (series visits)" in warm.run(small, "campaign", "list").out


def test_too_dear_a_run_changes_nothing(lone_place: Place, warm: Warm) -> None:
    write(lone_place, {"1": due_in(60)})

    done = warm.run(lone_place, *ORDER, "--max-cost", "0.10")

    assert (done.code, "more than --max-cost" in done.err) == (1, True)
    assert lone_place.n_campaigns() == 0


_FULL = """
import resource, sys
import producer.cli

resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
sys.argv = ["bulksend", *sys.argv[1:]]
producer.cli.main()
"""


def test_a_full_folder_for_temporary_files_is_one_sentence(lone_place: Place) -> None:
    write(lone_place, dict.fromkeys(map(str, range(6000)), due_in(3600)))
    words = ("--before", "30min", "--text", f"{'See you, ' * 100} {{{{ name }}}}")

    done = subprocess.run(
        [sys.executable, "-c", _FULL, *ORDER, *words],
        cwd=lone_place.folder,
        env={**lone_place.environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("Error: the folder for temporary files cannot be used")
    assert "Traceback" not in done.stderr


WRONG = {
    "no duration": (("--before", "soon"), "--before: "),
    "no column": (("--column", "when"), "no column is called 'when'"),
    "no key": (("--key", "booking"), "--key asks for 'booking'"),
    "a long series": (("--series", "x" * 101), "--series: write at most 100 characters"),
}


@pytest.mark.parametrize(("words", "says"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_done_is_one_sentence(
    lone_place: Place, warm: Warm, words: tuple[str, ...], says: str
) -> None:
    write(lone_place, {"1": due_in(60)})

    done = warm.run(lone_place, *ORDER, *words)

    assert done.code in {1, 2}
    assert says in done.err
    assert "Traceback" not in done.err


def test_it_is_said_that_nothing_sends_until_a_worker_runs(lone_place: Place, warm: Warm) -> None:
    write(lone_place, {"0": due_in(7200)})
    later = warm.run(lone_place, *ORDER)

    assert later.code == 0
    assert "It starts by itself where a worker runs" in later.err
    assert "1 message, 1 part" in later.err
