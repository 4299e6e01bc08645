"""A further file is added to a campaign, while it is sent and after it is done."""

import os
import signal
from threading import Thread

from sqlalchemy import select, update

from tests.e2e.place import DEADLINE_S, Place
from tests.e2e.warm import Warm
from tests.sandbox.running import Sandbox
from worker.ledger.engine import now_of, reading, writing
from worker.ledger.models import BATCHES, CAMPAIGNS
from worker.waiting import within

ORDER = ("send", "a.csv", "--text", "Hi {{ first_name }}", "--via", "acme")


def rows(*numbers: int) -> str:
    return "msisdn,first_name\n" + "".join(f"+45{20000000 + n},Ann {n}\n" for n in numbers)


def test_a_second_file_is_sent_at_the_prices_of_the_first_and_nobody_gets_two(
    place: Place, gateway: Sandbox, warm: Warm
) -> None:
    place.write("a.csv", rows(1, 2))
    place.write("b.csv", rows(2, 3, 3))
    place.run(*ORDER, "--wait")
    settings = (place.folder / "bulksend.toml").read_text()
    place.write("bulksend.toml", settings.replace("0.35 DKK", "9.99 DKK"))

    added = warm.run(place, "campaign", "add", "1", "b.csv", "--json")
    again = warm.run(place, "campaign", "add", "1", "b.csv")
    place.finish_with_a_worker()

    shown = warm.run(place, "campaign", "show", "1", "--json").json
    assert (added.code, again.code) == (0, 1)
    assert (added.json["messages"], added.json["duplicates"]) == (1, 2)
    assert added.json["cost"] == {"DKK": "0.35"}
    assert "was added to campaign 1 before" in again.err
    assert sorted(row["text"] for row in gateway.accepted()) == ["Hi Ann 1", "Hi Ann 2", "Hi Ann 3"]
    assert (shown["rows"], shown["messages"], shown["duplicates"]) == (5, 3, 2)
    assert [order["what"] for order in shown["orders"]] == ["add"]
    assert '"ok": true' in warm.run(place, "doctor", "--json").out


def test_a_file_with_refused_rows_is_added_only_with_leave(lone_place: Place, warm: Warm) -> None:
    lone_place.write("a.csv", rows(1))
    lone_place.write("b.csv", f"{rows(2)}12,Bo\n")
    warm.run(lone_place, *ORDER)

    refused = warm.run(lone_place, "campaign", "add", "1", "b.csv")
    n_before = lone_place.report().messages
    added = warm.run(lone_place, "campaign", "add", "1", "b.csv", "--accept-good-rows")

    assert (refused.code, added.code) == (1, 0)
    assert (n_before, lone_place.report().messages, lone_place.report().refused) == (1, 2, 1)


def test_a_file_may_come_through_a_pipe_with_a_name(lone_place: Place, warm: Warm) -> None:
    lone_place.write("a.csv", rows(1))
    warm.run(lone_place, *ORDER)
    pipe = lone_place.folder / "pipe"
    os.mkfifo(pipe)

    writer = Thread(target=pipe.write_text, args=(rows(3),))
    writer.start()
    added = warm.run(lone_place, "campaign", "add", "1", "pipe")
    writer.join()

    assert added.code == 0, added.err
    assert lone_place.report().messages == 2


def test_what_was_pruned_is_named_where_the_campaign_leaves_out_whom_the_text_reached(
    lone_place: Place, warm: Warm
) -> None:
    lone_place.write("old.csv", rows(7))
    lone_place.write("a.csv", rows(1))
    lone_place.write("b.csv", rows(2))
    warm.run(lone_place, "send", "old.csv", *ORDER[2:])
    with writing(lone_place.engine) as connection:
        connection.execute(update(CAMPAIGNS).values(pruned_at=now_of(connection)))
    sent = warm.run(lone_place, *ORDER, "--skip-reached", "30d")

    added = warm.run(lone_place, "campaign", "add", "2", "b.csv")

    says = "--skip-reached: 1 campaign was pruned, and who got those texts is not known"
    assert (sent.code, added.code) == (0, 0), added.err
    assert says in sent.err
    assert says in added.err


def n_added(place: Place) -> int:
    with reading(place.engine) as connection:
        return len(connection.scalars(select(BATCHES.c.id).where(BATCHES.c.is_added)).all())


def test_a_program_that_is_killed_while_it_adds_has_added_nothing_and_the_next_one_adds_all(
    lone_place: Place, warm: Warm
) -> None:
    n = 30_000
    lone_place.write("a.csv", rows(1))
    lone_place.write_numbers("b.csv", n)
    warm.run(lone_place, *ORDER)
    with lone_place.started("campaign", "add", "1", "b.csv", "--yes") as adding:
        assert within(DEADLINE_S, lambda: n_added(lone_place) > 2, every_s=0.01)
        os.killpg(adding.process.pid, signal.SIGKILL)
        adding.wait()
    killed, left = lone_place.report(), n_added(lone_place)

    at_once = warm.run(lone_place, "campaign", "add", "1", "b.csv", "--yes")
    added = within(
        DEADLINE_S,
        lambda: warm.run(lone_place, "campaign", "add", "1", "b.csv", "--yes").code == 0,
        every_s=2.0,
    )

    assert (killed.messages, killed.rows) == (1, 1)
    assert left > 0
    assert "is being added to campaign 1 at this moment" in at_once.err
    assert added
    assert (lone_place.report().messages, lone_place.report().duplicates) == (n, 1)
    assert n_added(lone_place) == 0
