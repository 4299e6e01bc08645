"""An order is tried with its first message before it is sent."""

import pytest

from tests.e2e.place import Place
from tests.e2e.warm import Warm
from tests.sandbox.running import Sandbox

FILE = """msisdn,first_name
123,Nobody
+4520000000,Søren €
+4520000001,Bo
"""
ORDER = ("send", "members.csv", "--text", "Hi {{ first_name }}", "--via", "acme")


def test_the_first_message_goes_to_numbers_of_ones_own_and_the_order_can_be_sent_after_it(
    place: Place, gateway: Sandbox
) -> None:
    place.write("members.csv", FILE)

    later = ("--at", "tomorrow 09:00", "--zone", "Europe/Copenhagen")
    tried = place.run(*ORDER, "--test", "30405060", "--test", "+447400123456", *later)
    again = place.run(*ORDER, "--test", "30405060", "--json")
    sent = place.run(*ORDER, "--accept-good-rows", "--wait")

    accepted = [(row["msisdn"], row["text"]) for row in gateway.accepted()]
    text = "Hi Søren €"
    assert accepted[:3] == [("+4530405060", text), ("+447400123456", text), ("+4530405060", text)]
    assert sorted(accepted[3:]) == [("+4520000000", text), ("+4520000001", "Hi Bo")]
    assert "A test leaves at once" in tried.err
    assert text in tried.err
    assert "test of members" in tried.out
    assert "0.35 DKK" in tried.out
    assert "0.04 GBP" in tried.out
    assert tried.out.count("accepted") >= 2
    assert (again.json["text"], again.json["cost"], again.json["state"]) == (text, {"DKK": "0.35"}, "done")
    assert again.json["test"] is True
    assert sent.code == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--test", "12"), "--test, number 1: the number has too few digits"),
        (tuple(word for n in range(6) for word in ("--test", f"3040506{n}")), "give at most 5 numbers"),
        (("--test", "30405060", "--max-cost", "0.10"), "It would cost 0.35 DKK"),
    ],
    ids=["no number", "too many", "too dear"],
)
def test_what_cannot_be_tried_is_refused_and_nothing_is_sent(
    lone_place: Place, warm: Warm, words: tuple[str, ...], sentence: str
) -> None:
    lone_place.write("members.csv", FILE)

    done = warm.run(lone_place, *ORDER, *words)

    assert done.code == 1
    assert sentence in done.err
    assert lone_place.n_campaigns() == 0


def test_a_file_without_a_row_that_can_be_sent_to_cannot_be_tried(lone_place: Place, warm: Warm) -> None:
    lone_place.write("members.csv", "msisdn,first_name\n123,Ann\n")

    done = warm.run(lone_place, *ORDER, "--test", "30405060")

    assert done.code == 1
    assert "No row of the file can be sent to" in done.err
    assert "too few digits" in done.err
