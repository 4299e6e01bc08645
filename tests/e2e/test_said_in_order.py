"""What is wrong is said before anything is asked or promised."""

import pytest

from tests.e2e.place import Place
from tests.e2e.terminal import at_a_terminal
from tests.e2e.warm import Warm

SEND = ("send", "members.csv", "--text", "See you", "--via", "acme", "--at", "2027-01-31T08:00+01:00")


@pytest.mark.parametrize("order", ["cancel", "discard"])
def test_nobody_is_asked_about_a_campaign_that_is_not_there(lone_place: Place, order: str) -> None:
    with at_a_terminal(lone_place, "campaign", order, "999") as terminal:
        code = terminal.ends()

    assert code == 1
    assert "There is no campaign 999" in terminal.seen
    assert "[y/N]" not in terminal.seen


def test_a_repeat_is_refused_before_it_is_said_when_it_leaves(lone_place: Place, warm: Warm) -> None:
    lone_place.write_numbers("members.csv", 2)
    first = warm.run(lone_place, *SEND)

    again = warm.run(lone_place, *SEND)

    assert "It leaves from 2027-01-31 08:00 +01:00" in first.err
    assert again.code == 1
    assert again.err.startswith("Error: This was sent before")


def test_a_test_names_the_row_whose_text_it_is(lone_place: Place) -> None:
    lone_place.write("members.csv", "msisdn\n12\nnone\n+4520000001\n")

    with lone_place.started(*SEND[:6], "--test", "+4520304050") as tried:
        said = tried.says("Campaign 1")

    assert said, tried.said
    assert "The text of line 4 (1 part, gsm7); 2 rows are refused before it:\n  See you" in tried.said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "3 messages are moved by the quiet hours of acme to when they end."),
        (("--window", "00:00-23:59"), "3 messages are moved by a window or the quiet hours of acme."),
    ],
)
def test_what_moves_the_messages_is_named(
    lone_place: Place, warm: Warm, words: tuple[str, ...], says: str
) -> None:
    settings = lone_place.folder / "bulksend.toml"
    lone_place.write(settings.name, settings.read_text(encoding="utf-8") + 'quiet = "06:00-10:00"\n')
    lone_place.write_numbers("members.csv", 3)

    found = warm.run(lone_place, "preview", *SEND[1:], *words)

    assert says in found.err
