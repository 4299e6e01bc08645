"""`campaign watch`: what is still to come is shown while it is awaited, at a terminal and in a pipe."""

import re
from datetime import UTC, datetime, timedelta

from tests.e2e.place import Place
from tests.e2e.terminal import CTRL_C, at_a_terminal
from tests.e2e.warm import Warm
from tests.ledgers import schedule

WATCH = ("campaign", "watch", "1")
COPENHAGEN = r"\d{4}-\d\d-\d\d \d\d:\d\d \+0[12]:00"
SEND = ("send", "members.csv", "--text", "See you", "--via", "acme")


def in_hours(n: float) -> datetime:
    return datetime.now(tz=UTC) + timedelta(hours=n)


def spread(place: Place, warm: Warm) -> None:
    """Order five messages for five hours, inside a window."""
    rows = "".join(f"+4520000{n:03},{in_hours(30 + n).isoformat()}\n" for n in range(5))
    place.write("members.csv", f"msisdn,at\n{rows}")
    window = ("--window", "00:00-24:00 mon-sun", "--at-column", "at", "--zone", "Europe/Copenhagen")
    assert warm.run(place, *SEND, *window, "--yes").code == 0


def shut(place: Place, warm: Warm) -> None:
    """Order messages whose window opens in six hours."""
    place.write_numbers("members.csv", 3)
    hour = in_hours(6).hour
    window = f"{hour:02}:00-{(hour + 1) % 24:02}:00"
    assert warm.run(place, *SEND, "--window", window).code == 0


def late(place: Place) -> None:
    """Let messages wait for an hour."""
    schedule(place.engine, [int(1000 * in_hours(-1).timestamp())] * 3)


def test_a_terminal_shows_what_leaves_when(lone_place: Place, warm: Warm) -> None:
    spread(lone_place, warm)

    with at_a_terminal(lone_place, *WATCH) as terminal:
        is_shown = terminal.shows("and 2 messages later")
        terminal.types(CTRL_C)
        terminal.ends()

    assert is_shown, terminal.seen
    three = ", ".join([f"1 at {COPENHAGEN}"] * 3)
    assert re.search(rf"Leaves: {three}, and 2 messages later", terminal.seen), terminal.seen


def test_a_pipe_is_told_what_leaves_when(lone_place: Place, warm: Warm) -> None:
    spread(lone_place, warm)

    with lone_place.started(*WATCH) as watched:
        assert watched.says("and 2 messages later"), watched.said

    three = ", ".join([f"1 at {COPENHAGEN}"] * 3)
    assert re.search(rf"Campaign 1: Leaves: {three}, and 2 messages later\n", watched.said), watched.said


def test_a_terminal_shows_the_next_opening(lone_place: Place, warm: Warm) -> None:
    shut(lone_place, warm)

    with at_a_terminal(lone_place, *WATCH) as terminal:
        is_shown = terminal.shows("Window (Europe/Copenhagen): opens ") and terminal.shows("\n")
        terminal.types(CTRL_C)
        terminal.ends()

    assert is_shown, terminal.seen
    assert re.search(rf"opens {COPENHAGEN}, until {COPENHAGEN}", terminal.seen), terminal.seen
    assert "Late:" not in terminal.seen


def test_a_pipe_is_told_the_next_opening(lone_place: Place, warm: Warm) -> None:
    shut(lone_place, warm)

    with lone_place.started(*WATCH) as watched:
        assert watched.says("until"), watched.said

    opens = rf"Campaign 1: Window \(Europe/Copenhagen\): opens {COPENHAGEN}, until {COPENHAGEN}\n"
    assert re.search(opens, watched.said), watched.said


def test_a_terminal_shows_how_late_the_oldest_is(lone_place: Place) -> None:
    late(lone_place)

    with at_a_terminal(lone_place, *WATCH) as terminal:
        is_shown = terminal.shows("The oldest that is due waits for 1 h")
        terminal.types(CTRL_C)
        terminal.ends()

    assert is_shown, terminal.seen


def test_a_pipe_is_told_how_late_the_oldest_is(lone_place: Place) -> None:
    late(lone_place)

    with lone_place.started(*WATCH) as watched:
        assert watched.says("Campaign 1: The oldest that is due waits for 1 h"), watched.said


def test_what_does_not_change_is_said_once(lone_place: Place, warm: Warm) -> None:
    lone_place.write_numbers("members.csv", 3)
    warm.run(lone_place, *SEND, "--at", in_hours(30).isoformat())

    with lone_place.started(*WATCH) as watched:
        assert watched.says("0 of 3"), watched.said
        assert watched.said.count("Leaves: 3 at ") == 1
