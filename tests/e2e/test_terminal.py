"""Questions at a real terminal: yes, no, and Ctrl-C, after which nothing is done."""

import pytest

from tests.e2e.place import Place
from tests.e2e.terminal import CTRL_C, at_a_terminal
from tests.e2e.test_remind import ORDER as REMIND
from tests.e2e.test_remind import due_in, write
from tests.e2e.warm import Warm
from tests.ledgers import change_account, run_campaign

SEND = ("send", "members.csv", "--text", "See you", "--via", "acme")


@pytest.mark.parametrize(
    ("keys", "code", "n_campaigns"), [("y\n", 0, 1), ("n\n", 1, 0), ("\n", 1, 0), (CTRL_C, 130, 0)]
)
def test_good_rows_are_sent_only_after_a_yes(
    lone_place: Place, keys: str, code: int, n_campaigns: int
) -> None:
    lone_place.write("members.csv", "msisdn\n+4520304050\nnone\n")

    with at_a_terminal(lone_place, *SEND) as terminal:
        assert terminal.shows("Send the 1 good row (1 part, 0.35 DKK)? [y/N]"), terminal.seen
        terminal.types(keys)
        ended = terminal.ends()

    assert ended == code, terminal.seen
    assert "Traceback" not in terminal.seen
    assert lone_place.n_campaigns() == n_campaigns


@pytest.mark.parametrize(
    ("keys", "code", "state"), [("y\n", 0, "cancelled"), ("n\n", 1, "running"), (CTRL_C, 130, "running")]
)
def test_a_campaign_is_cancelled_only_after_a_yes(
    lone_place: Place, keys: str, code: int, state: str
) -> None:
    run_campaign(lone_place.engine, 3)

    with at_a_terminal(lone_place, "campaign", "cancel", "1") as terminal:
        assert terminal.shows("End campaign 1 for good? [y/N]"), terminal.seen
        terminal.types(keys)
        ended = terminal.ends()

    assert ended == code, terminal.seen
    assert "Traceback" not in terminal.seen
    assert lone_place.report().state == state


@pytest.mark.parametrize(("keys", "code", "queued"), [("y\n", 0, 1), ("n\n", 1, 3), (CTRL_C, 130, 3)])
def test_many_reminders_are_cancelled_only_after_a_yes(
    lone_place: Place, warm: Warm, keys: str, code: int, queued: int
) -> None:
    at = due_in(7200)
    write(lone_place, {str(key): at for key in range(3)})
    assert warm.run(lone_place, *REMIND).code == 0
    write(lone_place, {"0": at})

    with at_a_terminal(lone_place, *REMIND) as terminal:
        assert terminal.shows("Cancel them? [y/N]"), terminal.seen
        terminal.types(keys)
        ended = terminal.ends()

    assert ended == code, terminal.seen
    assert "Traceback" not in terminal.seen
    assert lone_place.counts()["queued"] == queued


@pytest.mark.parametrize("words", [("campaign", "pause", "1"), ("campaign", "reschedule", "1", "--by", "2h")])
def test_an_order_without_a_question_is_obeyed_at_a_terminal(
    lone_place: Place, words: tuple[str, ...]
) -> None:
    run_campaign(lone_place.engine, 3)

    with at_a_terminal(lone_place, *words) as terminal:
        ended = terminal.ends()

    assert ended == 0, terminal.seen
    assert "Campaign 1" in terminal.seen


def test_a_provider_is_opened_at_a_terminal(lone_place: Place) -> None:
    run_campaign(lone_place.engine, 3)
    change_account(lone_place.engine, paused_by="ann", paused_reason="why")

    with at_a_terminal(lone_place, "provider", "resume", "acme") as terminal:
        ended = terminal.ends()

    assert ended == 0, terminal.seen
