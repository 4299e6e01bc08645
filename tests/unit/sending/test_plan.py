from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.sending.plan import Unit, group_rows, parts_differ, units_of


@dataclass(frozen=True, kw_only=True)
class Row:
    """What planning needs of a row, and its place."""

    id: int = 0
    msisdn: str = "+4520304050"
    text: str = "Hello"
    parts: int = 1
    group_limit: int | None = None


def some_rows(n: int, *, text: str = "Hello", group_limit: int | None = None) -> list[Row]:
    return [Row(id=i, msisdn=f"+452030405{i}", text=text, group_limit=group_limit) for i in range(n)]


def sizes(rows: list[Row], *, max_recipients: int = 3) -> list[int]:
    return [len(group) for group in group_rows(rows, max_recipients=max_recipients)]


def test_rows_of_one_text_share_requests_as_full_as_they_may_be() -> None:
    assert sizes(some_rows(7)) == [3, 3, 1]


def test_another_text_is_another_request() -> None:
    assert sizes([*some_rows(2, text="a"), *some_rows(2, text="b")]) == [2, 2]


def test_a_number_that_comes_again_waits_for_the_next_request() -> None:
    assert sizes([Row(id=1), Row(id=2), Row(id=3)]) == [1, 1, 1]


def test_after_a_split_a_request_is_no_larger_than_its_rows_allow() -> None:
    assert sizes([*some_rows(4, group_limit=2), *some_rows(3)]) == [2, 2, 3]


def test_a_limit_above_the_gateways_own_does_not_count() -> None:
    assert sizes(some_rows(4, group_limit=9)) == [3, 1]


def test_no_rows_make_no_request() -> None:
    assert sizes([]) == []


any_rows = st.lists(
    st.builds(
        Row,
        msisdn=st.sampled_from(["+451", "+452", "+453", "+454"]),
        text=st.sampled_from(["a", "b"]),
        group_limit=st.sampled_from([None, 1, 2, 50]),
    ),
    max_size=40,
).map(lambda rows: [Row(**{**vars(row), "id": i}) for i, row in enumerate(rows)])


@given(any_rows, st.integers(1, 5))
def test_every_row_is_in_exactly_one_request_that_a_gateway_takes(
    rows: list[Row], max_recipients: int
) -> None:
    groups = list(group_rows(rows, max_recipients=max_recipients))

    assert sorted(row.id for group in groups for row in group) == [row.id for row in rows]
    for group in groups:
        assert 0 < len(group) <= min(row.group_limit or max_recipients for row in group)
        assert len(group) <= max_recipients
        assert len({row.msisdn for row in group}) == len(group)
        assert len({row.text for row in group}) == 1
        assert [row.id for row in group] == sorted(row.id for row in group)


@given(any_rows, st.integers(1, 5))
def test_messages_to_one_number_with_one_text_and_limit_keep_their_order(
    rows: list[Row], max_recipients: int
) -> None:
    sent = [row for group in group_rows(rows, max_recipients=max_recipients) for row in group]
    order: dict[object, list[int]] = {}
    for row in sent:
        order.setdefault((row.msisdn, row.text, row.group_limit), []).append(row.id)

    assert all(ids == sorted(ids) for ids in order.values())


@pytest.mark.parametrize(
    ("text", "parts", "differs"),
    [
        ("Hello", 1, False),
        ("Hello", 2, True),
        ("a" * 161, 2, False),
        ("a" * 161, 1, True),
        ("я" * 71, 1, True),
    ],
)
def test_parts_are_counted_again(text: str, parts: int, *, differs: bool) -> None:
    assert parts_differ([Row(), Row(text=text, parts=parts)]) is differs


def test_one_text_with_two_counts_differs() -> None:
    assert parts_differ([Row(parts=1), Row(parts=2)])


@pytest.mark.parametrize(("unit", "units"), [("parts", 6), ("messages", 3), ("requests", 1)])
def test_a_request_costs_what_the_provider_counts(unit: Unit, units: int) -> None:
    assert units_of([Row(parts=2)] * 3, unit) == units


@pytest.mark.parametrize(
    ("unit", "grain", "found"),
    [
        ("parts", 4, [2, 2, 2]),
        ("parts", 5, [2, 2, 2]),
        ("messages", 4, [4, 2]),
        ("requests", 1, [6]),
        ("parts", 1, [1] * 6),
        ("parts", 0, [1] * 6),
        ("parts", None, [6]),
    ],
)
def test_a_request_costs_no_more_than_the_grain_and_carries_a_message_at_least(
    unit: Unit, grain: int | None, found: list[int]
) -> None:
    rows = [Row(id=i, msisdn=f"+452030405{i}", parts=2) for i in range(6)]

    assert [len(each) for each in group_rows(rows, max_recipients=9, unit=unit, grain=grain)] == found
