"""What a preview says of times: until when a message is worth sending, and where a time is odd."""

import re

from tests.e2e.place import Place
from tests.e2e.warm import Warm

PREVIEW = ("preview", "members.csv", "--text", "See you", "--via", "acme")
GAP = ("--at", "2027-03-28 02:30", "--zone", "recipient")


def test_a_validity_counts_from_when_the_window_opens(lone_place: Place, warm: Warm) -> None:
    lone_place.write_numbers("members.csv", 2)
    at = ("--at", "2027-01-31T21:12+01:00", "--window", "09:00-20:00")

    found = warm.run(lone_place, *PREVIEW, *at, "--validity", "6h")

    assert "What could not leave until 2027-02-01 15:00 +01:00 is given up." in found.err


def test_what_is_spread_has_a_first_and_a_last_end(lone_place: Place, warm: Warm) -> None:
    lone_place.write_numbers("members.csv", 2)
    at = ("--at", "2027-01-31T09:00+01:00", "--over", "2h")

    found = warm.run(lone_place, *PREVIEW, *at, "--validity", "6h")

    assert "the first of them at 2027-01-31 15:00 +01:00, the last at 2027-01-31 16:00 +01:00." in found.err


def test_a_time_that_does_not_exist_names_the_zones_of_the_recipients(lone_place: Place, warm: Warm) -> None:
    lone_place.write("members.csv", "msisdn\n+4520000001\n+4520000002\n+447400123456\n")

    found = warm.run(lone_place, *PREVIEW, *GAP)

    said = re.findall(r"02:30 in (\S+) does not exist there: .* \((\d) messages?\)", found.err)
    assert said == [("Europe/Copenhagen", "2")]
