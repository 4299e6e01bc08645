"""A pause, a cancel and a pause of a provider return when nothing is on its way, or name what hangs."""

import re
import signal
import time

import pytest

from tests.e2e.place import DEADLINE_S, Place
from tests.e2e.warm import Warm
from tests.ledgers import due_rows, lease, mark, record, result, run_campaign
from tests.sandbox.running import Sandbox
from worker.ledger.values import Marked
from worker.states import MessageState
from worker.waiting import within

ORDERS = [
    ("campaign", "pause", "1"),
    ("campaign", "cancel", "1", "--yes"),
    ("provider", "pause", "acme"),
]
IDS = ["campaign pause", "campaign cancel", "provider pause"]


def on_its_way(place: Place) -> Marked:
    """Have a request out of which nobody hears."""
    held = lease(place.engine, run_campaign(place.engine, 3), lease_ms=600_000)
    (marked,) = mark(place.engine, held, due_rows(place.engine, held)[:2], lease_ms=600_000)
    return marked


def wait_shortly(place: Place) -> None:
    settings = (place.folder / "bulksend.toml").read_text()
    place.write("bulksend.toml", settings.replace("[timers]", '[timers]\norder_wait = "1s"'))


@pytest.mark.parametrize("words", ORDERS, ids=IDS)
def test_what_hangs_is_named_and_the_order_holds(
    lone_place: Place, warm: Warm, words: tuple[str, ...]
) -> None:
    marked = on_its_way(lone_place)
    wait_shortly(lone_place)

    done = warm.run(lone_place, *words)

    assert done.code == 3
    assert "holds: nothing new begins. What became of 2 messages is not known yet" in done.err
    assert re.search(rf"request {marked.reference}: 2 messages, since .* \+0[12]:00 .*, worker one", done.err)


@pytest.mark.parametrize("words", ORDERS, ids=IDS)
def test_an_order_that_is_interrupted_while_it_waits_holds(lone_place: Place, words: tuple[str, ...]) -> None:
    on_its_way(lone_place)

    with lone_place.started(*words) as order:
        is_waiting = order.says("Nothing new begins; on their way to the gateway still: 2 messages")
        order.signal(signal.SIGINT)
        code = order.wait()

    assert is_waiting
    assert code == 130
    assert "holds: nothing new begins. What is on its way ends by itself." in order.said


def test_an_order_returns_as_soon_as_what_was_on_its_way_is_answered(lone_place: Place) -> None:
    marked = on_its_way(lone_place)

    with lone_place.started("campaign", "pause", "1") as order:
        assert order.says("on their way")
        record(lone_place.engine, result(marked, MessageState.ACCEPTED))
        answered_s = time.monotonic()
        code = order.wait()
        took_s = time.monotonic() - answered_s

    assert code == 0
    assert took_s < 5


def test_a_pause_that_is_repeated_says_who_paused_it_and_when(lone_place: Place, warm: Warm) -> None:
    run_campaign(lone_place.engine, 1)

    first = warm.run(lone_place, "campaign", "pause", "1", "--reason", "wrong offer")
    second = warm.run(lone_place, "campaign", "pause", "1")
    resumed = [warm.run(lone_place, "campaign", "resume", "1") for _ in range(2)]

    shown = warm.run(lone_place, "campaign", "show", "1", "--json").json["orders"]
    assert [done.code for done in (first, second, *resumed)] == [0] * 4
    assert re.search(r"is paused already, by \S+@\S+ since 20\S+ \S+ \+0[12]:00 \(wrong offer\)", second.err)
    assert "is running already" in resumed[1].err
    assert [(order["what"], order["detail"]) for order in shown] == [
        ("pause", "wrong offer"),
        ("resume", None),
    ]


def test_a_provider_tells_who_ordered_what(lone_place: Place, warm: Warm) -> None:
    run_campaign(lone_place.engine, 1)

    for words in (("pause", "acme"), ("pause", "acme"), ("rate", "acme", "20/s"), ("resume", "acme")):
        assert warm.run(lone_place, "provider", *words).code == 0

    listed = warm.run(lone_place, "provider", "list", "--json").out
    given = warm.run(lone_place, "provider", "orders", "acme")
    lines = [line.split()[4:] for line in given.out.splitlines()[1:]]
    assert lines == [["pause", "paused", "by", "hand"], ["rate", "20/s"], ["resume"]]
    assert listed.count('"what"') == 3


def test_a_campaign_of_which_too_much_is_refused_pauses_itself(
    place: Place, gateway: Sandbox, warm: Warm
) -> None:
    settings = (place.folder / "bulksend.toml").read_text()
    rule = '[campaigns]\npause_refused = "40%"\npause_refused_of = 20\n\n[timers]'
    place.write("bulksend.toml", settings.replace("[timers]", rule))
    place.write_numbers("members.csv", 400)
    odd = ["1", "3", "5", "7", "9"]
    gateway.set_faults(latency_ms=300, refuse_numbers=odd)

    done = place.run(
        "send", "members.csv", "--text", "Hi {{ first_name }}", "--via", "acme", "--wait", code=3
    )

    report = place.report()
    shown = warm.run(place, "campaign", "show", "1", "--json").json["orders"]
    assert report.state == "paused"
    assert re.fullmatch(r"\d+ of the last \d+ messages were refused, most with code .*", str(report.reason))
    assert report.counts[MessageState.QUEUED] > 0
    assert report.reason
    assert report.reason in done.out
    assert (shown[0]["author"], shown[0]["what"]) == ("bulksend", "pause")
    assert within(DEADLINE_S, lambda: gateway.stats()["at_once"] == 0)
