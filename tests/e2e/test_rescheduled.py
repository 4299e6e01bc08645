"""What `campaign reschedule` says of what it moved, and what is kept of the order."""

import re
from datetime import UTC, datetime

import pytest

from tests.e2e.place import Place
from tests.e2e.warm import Warm

SEND = ("send", "members.csv", "--text", "See you", "--via", "acme", "--at", "in 30h")
MOVE = ("campaign", "reschedule", "1")
COPENHAGEN = r"\d{4}-\d\d-\d\d \d\d:\d\d \+0[12]:00"


def open_now() -> str:
    """Give hours that are open on the clocks of Denmark, and shut in New Zealand."""
    hour = datetime.now(tz=UTC).hour
    return f"{(hour - 1) % 24:02}:00-{(hour + 4) % 24:02}:00"


def test_what_leaves_at_once_and_what_waits_for_its_window_is_told(lone_place: Place, warm: Warm) -> None:
    lone_place.write("members.csv", "msisdn\n+4520000001\n+64211234567\n")
    warm.run(lone_place, *SEND, "--window", open_now())

    moved = warm.run(lone_place, *MOVE, "--at", "now")

    first, second = moved.err.splitlines()
    assert first == "Campaign 1: 2 messages were moved, from now on"
    assert re.fullmatch(rf"1 of them waits until its window opens, from {COPENHAGEN} on", second)


def test_what_leaves_later_is_told_with_its_time(lone_place: Place, warm: Warm) -> None:
    lone_place.write_numbers("members.csv", 3)
    warm.run(lone_place, *SEND)

    moved = warm.run(lone_place, *MOVE, "--by", "2h")

    assert re.fullmatch(rf"Campaign 1: 3 messages were moved, from {COPENHAGEN} on\n", moved.err)


@pytest.mark.parametrize(("again", "code"), [((), 1), (("--again",), 0)])
def test_the_audit_tells_what_was_wanted_again(
    lone_place: Place, warm: Warm, again: tuple[str, ...], code: int
) -> None:
    lone_place.write_numbers("members.csv", 3)
    warm.run(lone_place, *SEND)
    warm.run(lone_place, *MOVE, "--by", "2h", "--again")

    repeated = warm.run(lone_place, *MOVE, "--by", "2h", *again)

    shown = warm.run(lone_place, "campaign", "show", "1", "--json").json
    ordered = [order["detail"] for order in shown["orders"] if order["what"] == "reschedule"]
    assert repeated.code == code
    assert set(ordered) == {"--by 2h --again"}
