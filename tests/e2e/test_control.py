"""Pause, resume and cancel, given while a campaign is sent."""

import socket

import pytest
from sqlalchemy import text

from tests.e2e.place import DEADLINE_S, NAMELESS, NOBODY, Place
from tests.e2e.warm import Warm
from tests.ledgers import change_batch, change_messages, pause, run_campaign, states
from tests.sandbox.running import Sandbox
from worker.ledger.engine import reading
from worker.waiting import within

ORDER = ("send", "members.csv", "--text", "Hi {{ first_name }}", "--via", "acme", "--wait")


def test_a_pause_ends_the_waiting_and_a_resumed_campaign_is_sent_to_its_end(
    place: Place, gateway: Sandbox, warm: Warm
) -> None:
    place.write_numbers("members.csv", 60)
    gateway.set_faults(latency_ms=300)
    with place.started(*ORDER) as send:
        assert within(DEADLINE_S, lambda: gateway.stats()["accepted"] > 0)
        warm.run(place, "campaign", "pause", "1", "--reason", "wrong offer")
        code = send.wait()
    paused = place.counts()

    warm.run(place, "campaign", "resume", "1")
    gateway.set_faults(latency_ms=0)
    with place.started("worker"):
        is_sent = within(DEADLINE_S, lambda: place.counts() == {"accepted": 60}, every_s=0.2)

    assert code == 3
    assert "wrong offer" in send.said
    assert paused["queued"] > 0
    assert is_sent
    assert gateway.stats()["unique"] == gateway.stats()["accepted"] == 60


def test_what_is_queued_of_a_cancelled_campaign_is_never_sent(
    place: Place, gateway: Sandbox, warm: Warm
) -> None:
    place.write_numbers("members.csv", 20)
    place.run(*ORDER[:-1])
    refused = warm.run(place, "campaign", "cancel", "1")
    cancelled = warm.run(place, "campaign", "cancel", "1", "--yes")
    again = warm.run(place, "campaign", "resume", "1")

    assert (refused.code, cancelled.code, again.code) == (1, 0, 1)
    assert "--yes" in refused.err
    assert "20 queued messages were cancelled" in cancelled.err
    assert "cancelled and cannot be resumed" in again.err
    assert place.counts() == {"cancelled": 20}
    assert gateway.stats()["requests"] == 0


def test_what_was_rejected_is_sent_again_after_a_retry(place: Place, gateway: Sandbox, warm: Warm) -> None:
    place.write_numbers("members.csv", 3)
    place.run(*ORDER[:-1])
    change_messages(place.engine, state="rejected", code="7")
    change_batch(place.engine, 1, queued=0, rejected=3, state="done")

    refused = warm.run(place, "campaign", "retry", "1")
    retried = warm.run(place, "campaign", "retry", "1", "--rejected", "--yes")
    place.finish_with_a_worker()
    none_left = warm.run(place, "campaign", "retry", "1")

    assert (refused.code, retried.code, none_left.code) == (1, 0, 0)
    assert "--yes" in refused.err
    assert "3 messages are queued again" in retried.err
    assert "0 messages are queued again" in none_left.err
    assert place.counts() == {"accepted": 3}
    assert gateway.stats()["accepted"] == 3


def test_a_batch_that_was_held_is_sent_after_a_resume(place: Place, gateway: Sandbox, warm: Warm) -> None:
    place.write_numbers("members.csv", 3)
    place.run(*ORDER[:-1])
    change_batch(place.engine, 1, state="held", reason="its worker was lost", lost_leases=3)

    resumed = warm.run(place, "campaign", "resume", "1")
    place.finish_with_a_worker()

    assert resumed.code == 0
    assert "that were held and are tried again: 1" in resumed.err
    assert place.counts() == {"accepted": 3}
    assert gateway.stats()["accepted"] == 3


def test_one_resume_is_enough_for_a_paused_campaign_with_a_batch_that_is_held(
    lone_place: Place, warm: Warm
) -> None:
    batch_id = run_campaign(lone_place.engine, 3)
    change_batch(lone_place.engine, batch_id, state="held", reason="its worker was lost", lost_leases=3)
    warm.run(lone_place, "campaign", "pause", "1")

    resumed = warm.run(lone_place, "campaign", "resume", "1")

    report = lone_place.report()
    assert resumed.code == 0
    assert "that were held and are tried again: 1" in resumed.err
    assert (report.state, report.reason, report.n_held) == ("running", None, 0)


@pytest.mark.parametrize("order", ["pause", "resume"])
def test_a_campaign_that_is_done_is_neither_paused_nor_resumed(
    lone_place: Place, warm: Warm, order: str
) -> None:
    batch_id = run_campaign(lone_place.engine, 3)
    change_messages(lone_place.engine, state="accepted")
    change_batch(lone_place.engine, batch_id, queued=0, accepted=3, state="done")

    done = warm.run(lone_place, "campaign", order, "1")

    assert done.code == 1
    assert done.err == f"Error: Campaign 1 is done and cannot be {order.rstrip('e')}ed\n"
    assert lone_place.report().state == "done"


FAILS_AFTER_A_LOOK = """
import sqlite3
from sqlalchemy.engine.default import DefaultDialect

def do_rollback(self, connection, inner=DefaultDialect.do_rollback):  # as every look at the ledger ends
    is_look = connection.in_transaction
    inner(self, connection)
    if not is_look:
        return
    with sqlite3.connect("bulksend.db") as other:
        other.execute("UPDATE messages SET state = 'failed'")
        other.execute("UPDATE batches SET queued = 0, failed = 3, state = 'done'")

DefaultDialect.do_rollback = do_rollback
"""


def test_a_retry_that_has_found_nothing_queues_nothing_unasked(lone_place: Place) -> None:
    run_campaign(lone_place.engine, 3)
    lone_place.begin_all_with(FAILS_AFTER_A_LOOK)

    done = lone_place.run("campaign", "retry", "1")

    assert "0 messages are queued again" in done.err
    assert states(lone_place.engine) == ["failed"] * 3


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (("campaign", "pause", "1"), "author FROM campaigns"),
        (("campaign", "resume", "1"), "author FROM campaigns"),
        (("campaign", "cancel", "1", "--yes"), "author FROM campaigns"),
        (("provider", "pause", "acme"), "paused_by FROM accounts"),
    ],
    ids=["campaign pause", "campaign resume", "campaign cancel", "provider pause"],
)
def test_an_order_of_a_user_without_a_name_is_obeyed_as_that_of_a_number(
    lone_place: Place, words: tuple[str, ...], kept: str
) -> None:
    run_campaign(lone_place.engine, 3)
    if "resume" in words:
        pause(lone_place.engine, 1)
    lone_place.begin_all_with(NAMELESS)

    lone_place.run(*words)

    with reading(lone_place.engine) as connection:
        author = connection.scalar(text(f"SELECT {kept}"))
    assert author == f"uid {NOBODY}@{socket.gethostname()}"
