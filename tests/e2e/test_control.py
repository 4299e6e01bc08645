"""Pause, resume and cancel, given while a campaign is sent."""

from tests.e2e.place import DEADLINE_S, Place
from tests.e2e.warm import Warm
from tests.ledgers import change_batch, change_messages
from tests.sandbox.running import Sandbox
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
    assert "20 messages were still queued" in cancelled.err
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
