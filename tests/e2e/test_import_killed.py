"""kill -9 of `send` in the middle of its import: nothing is sent, and it can be finished or put away."""

import os
import signal

import pytest
from sqlalchemy import delete, select, update

from tests.e2e.place import DEADLINE_S, Place
from tests.e2e.warm import Warm
from tests.sandbox.running import Sandbox
from worker.ledger.engine import reading, writing
from worker.ledger.models import BATCHES, CAMPAIGNS, CLAIMS
from worker.waiting import within

N = 20_000  # in 20 batches
ORDER = ("send", "members.csv", "--text", "See you at 9", "--via", "acme", "--key", "k", "--yes")


def kill_in_mid_import(place: Place) -> None:
    """Send, and kill it when it has written some of the batches, not all."""
    place.write_numbers("members.csv", N)
    with place.started(*ORDER) as send:
        assert within(DEADLINE_S, lambda: has_begun(place), every_s=0.001)
        os.kill(send.process.pid, signal.SIGKILL)
        send.wait()
    assert place.report().state == "importing"
    assert place.counts()["queued"] < N


def has_begun(place: Place) -> bool:
    """Say whether a first batch is in the ledger."""
    with reading(place.engine) as connection:
        return connection.scalar(select(BATCHES.c.id).limit(1)) is not None


def forget_importer(place: Place) -> None:
    """Do as if the half minute had passed after which an importer is taken for dead."""
    with writing(place.engine) as connection:
        connection.execute(update(CAMPAIGNS).values(importing_until=0))


@pytest.fixture
def interrupted(lone_place: Place) -> Place:
    """Give a place with an interrupted import of its first campaign, and no gateway."""
    kill_in_mid_import(lone_place)
    forget_importer(lone_place)
    return lone_place


def test_nothing_of_an_interrupted_import_is_sent_and_it_says_so(
    place: Place, gateway: Sandbox, warm: Warm
) -> None:
    kill_in_mid_import(place)
    forget_importer(place)
    place.write_numbers("others.csv", 1)
    warm.run(place, "send", "others.csv", *ORDER[2:6])
    place.finish_with_a_worker(2)

    shown = warm.run(place, "campaign", "show", "1", "--json").json

    assert shown["state"] == "importing"
    assert "`bulksend campaign resume 1` finishes it" in shown["reason"]
    assert "`bulksend campaign discard 1` puts it away" in shown["reason"]
    assert gateway.stats()["accepted"] == 1


def test_a_resume_finishes_the_import_and_everything_is_sent_once(
    place: Place, gateway: Sandbox, warm: Warm
) -> None:
    kill_in_mid_import(place)
    forget_importer(place)

    resumed = warm.run(place, "campaign", "resume", "1")
    place.finish_with_a_worker()

    assert (resumed.code, resumed.err.splitlines()[-1]) == (0, f"Campaign 1: {N} messages, {N} parts")
    assert place.counts() == {"accepted": N}
    assert gateway.stats()["unique"] == gateway.stats()["accepted"] == N
    assert (place.report().rows, place.report().messages) == (N, N)


def test_a_resume_that_is_killed_too_is_finished_by_another(interrupted: Place, warm: Warm) -> None:
    place = interrupted
    before = place.counts()["queued"]
    with place.started("campaign", "resume", "1") as resume:
        assert within(DEADLINE_S, lambda: place.counts()["queued"] > before, every_s=0.001)
        os.kill(resume.process.pid, signal.SIGKILL)
        resume.wait()
    forget_importer(place)

    warm.run(place, "campaign", "resume", "1")

    assert place.counts() == {"queued": N}
    assert place.report().state == "running"


def test_what_was_sent_again_since_is_not_finished(interrupted: Place, warm: Warm) -> None:
    place = interrupted
    with writing(place.engine) as connection:
        connection.execute(delete(CLAIMS))  # an import that was given --again has none before its release
    warm.run(place, *ORDER)

    resumed = warm.run(place, "campaign", "resume", "1")

    assert (resumed.code, place.report().state) == (1, "importing")
    assert "as campaign 2 (members), which is running" in resumed.err
    assert "`bulksend campaign discard 1`" in resumed.err


def test_two_who_resume_at_once_finish_it_once(interrupted: Place) -> None:
    place = interrupted

    with place.started("campaign", "resume", "1") as one, place.started("campaign", "resume", "1") as two:
        codes = sorted([one.wait(), two.wait()])

    assert codes in ([0, 1], [0, 0])  # refused, or too late: it is finished, and runs
    assert place.counts() == {"queued": N}


def test_ctrl_c_leaves_a_resumed_import_to_be_resumed_at_once(interrupted: Place, warm: Warm) -> None:
    place = interrupted
    before = place.counts()["queued"]
    with place.started("campaign", "resume", "1") as resume:
        assert within(DEADLINE_S, lambda: place.counts()["queued"] > before, every_s=0.001)
        resume.signal(signal.SIGINT)
        code = resume.wait()
    state = place.report().state

    again = warm.run(place, "campaign", "resume", "1")

    if state == "importing":  # it was not quicker
        assert code == 130
        assert "bulksend campaign resume 1" in resume.said
        assert again.code == 0
    assert place.counts() == {"queued": N}


def test_a_file_that_was_changed_is_not_imported(interrupted: Place, warm: Warm) -> None:
    place = interrupted
    before = place.counts()
    place.write_numbers("members.csv", N + 1)

    done = warm.run(place, "campaign", "resume", "1")

    assert done.code == 1
    assert "have changed since campaign 1 was begun" in done.err
    assert "bulksend campaign discard 1" in done.err
    assert (place.report().state, place.counts()) == ("importing", before)


def test_a_file_that_is_gone_is_said_so(interrupted: Place, warm: Warm) -> None:
    (interrupted.folder / "members.csv").unlink()

    done = warm.run(interrupted, "campaign", "resume", "1")

    assert done.code == 1
    assert "members.csv is not there (any more)" in done.err


def test_a_discarded_import_is_gone_and_may_be_sent_again(interrupted: Place, warm: Warm) -> None:
    place = interrupted

    unasked = warm.run(place, "campaign", "discard", "1")
    discarded = warm.run(place, "campaign", "discard", "1", "--yes")
    again = warm.run(place, *ORDER)

    assert (unasked.code, "--yes" in unasked.err) == (1, True)
    assert (discarded.code, again.code) == (0, 0)
    assert (place.report(1).state, place.report(1).messages) == ("discarded", 0)
    assert (place.report(2).state, place.report(2).messages) == ("running", N)


def test_the_same_send_again_puts_the_interrupted_one_away_and_says_so(
    interrupted: Place, warm: Warm
) -> None:
    place = interrupted

    again = warm.run(place, *ORDER)

    assert again.code == 0
    assert "Campaign 1 was discarded" in again.err
    assert (place.report(1).state, place.report(1).messages) == ("discarded", 0)
    assert (place.report(2).state, place.report(2).messages) == ("running", N)


def test_an_importer_that_may_live_is_left_alone(lone_place: Place, warm: Warm) -> None:
    place = lone_place
    kill_in_mid_import(place)

    done = [
        warm.run(place, *words)
        for words in (("campaign", "resume", "1"), ("campaign", "discard", "1", "--yes"), ORDER)
    ]

    assert [each.code for each in done] == [1, 1, 1]
    assert all("is being imported at this moment" in each.err for each in done)
    assert place.n_campaigns() == 1


def test_ctrl_c_in_the_import_of_a_send_leaves_nothing_behind(lone_place: Place, warm: Warm) -> None:
    place = lone_place
    place.write_numbers("members.csv", N)
    with place.started(*ORDER) as send:
        assert within(DEADLINE_S, lambda: has_begun(place), every_s=0.001)
        send.signal(signal.SIGINT)
        code = send.wait()

    assert code == 130
    assert "Nothing was sent" in send.said
    assert (place.report(1).state, place.report(1).messages) == ("discarded", 0)
    assert warm.run(place, *ORDER).code == 0
