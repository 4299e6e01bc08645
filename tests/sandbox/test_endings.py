import itertools
from dataclasses import replace

import pytest

from worker.sandbox.endings import FATES, MARK, Turn, fate_of, refusal_of, state_of, turns_of
from worker.sandbox.knobs import Knobs

KNOBS = Knobs(dlr_delay_ms=2000, dlr_late_ms=60_000)


@pytest.mark.parametrize("plus", ["", "+"])
@pytest.mark.parametrize("digits", FATES)
def test_a_number_with_an_ending_chooses_its_fate(digits: str, plus: str) -> None:
    assert fate_of(f"{plus}45{MARK}{digits}") is FATES[digits]


@pytest.mark.parametrize("msisdn", ["+4520304050", "+4599990099", "+4599991001", "01", ""])
def test_an_ordinary_number_chooses_nothing(msisdn: str) -> None:
    assert fate_of(msisdn) is None


@pytest.mark.parametrize(
    ("msisdn", "refusal"),
    [
        ("+4599990001", "number"),
        ("+4599990002", "stopped"),
        ("+4599990003", "credit"),
        ("+4599990010", None),
        ("+4520300400", "number"),
        ("+4520304050", None),
    ],
)
def test_a_number_is_refused_by_its_ending_or_by_the_knob(msisdn: str, refusal: str | None) -> None:
    assert refusal_of(msisdn, knobs=Knobs(refuse_numbers=["0400"])) == refusal


@pytest.mark.parametrize(
    ("msisdn", "turns"),
    [
        ("+4520304050", [(2, "failed")]),
        ("+4599990010", [(2, "delivered")]),
        ("+4599990012", [(2, "abandoned")]),
        ("+4599990014", []),
        ("+4599990015", [(2, "buffered"), (4, "delivered")]),
        ("+4599990016", [(62, "delivered")]),
        ("+4599990017", [(2, "delivered"), (4, "delivered")]),
        ("+4599990018", [(2, "delivered"), (4, "buffered")]),
        ("+4599990021", []),
    ],
)
def test_the_reports_come_in_their_order(msisdn: str, turns: list[tuple[float, str]]) -> None:
    found = turns_of(msisdn, knobs=replace(KNOBS, dlr_outcome="failed"))

    assert [(turn.after_s, turn.state) for turn in found] == turns


def test_an_ordinary_number_has_no_report_when_the_knob_says_so() -> None:
    assert turns_of("+4520304050", knobs=Knobs(dlr_outcome="none")) == ()


@pytest.mark.parametrize(
    ("msisdn", "age_s", "state"),
    [
        ("+4599990015", 1, None),
        ("+4599990015", 2, "buffered"),
        ("+4599990015", 4, "delivered"),
        ("+4599990018", 4, "delivered"),  # and not back to buffered
        ("+4599990019", 2, "failed"),
        ("+4599990019", 4, "delivered"),
        ("+4599990016", 61, None),
    ],
)
def test_what_is_known_of_a_message_follows_its_reports(msisdn: str, age_s: float, state: str | None) -> None:
    assert state_of(msisdn, knobs=KNOBS, age_s=age_s) == state


def test_a_turn_comes_no_earlier_than_the_one_before() -> None:
    for digits in FATES:
        turns: tuple[Turn, ...] = turns_of(f"45{MARK}{digits}", knobs=KNOBS)
        assert all(first.after_s < second.after_s for first, second in itertools.pairwise(turns))
