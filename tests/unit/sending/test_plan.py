from dataclasses import dataclass, replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from worker.sending.plan import Unit, group_rows, parts_differ, units_of

UNITS: tuple[Unit, ...] = ("parts", "messages", "requests")


@dataclass(frozen=True, kw_only=True)
class Row:
    """What planning needs of a row, and its place."""

    id: int = 0
    msisdn: str = "+4520304050"
    text: str = "Hello"
    encoding: str = "gsm7"
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


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([Row(id=1, msisdn="+451", text="a"), Row(id=2, msisdn="+452", text="b")], [2]),
        ([Row(id=1, msisdn="+451", text="a"), Row(id=2, msisdn="+451", text="b")], [1, 1]),
        ([Row(id=1, msisdn="+451", encoding="gsm7"), Row(id=2, msisdn="+452", encoding="ucs2")], [1, 1]),
        ([Row(id=i, msisdn=f"+45{i}", text=str(i)) for i in range(7)], [3, 3, 1]),
    ],
)
def test_where_a_request_carries_different_texts_only_the_encoding_parts_them(
    rows: list[Row], found: list[int]
) -> None:
    assert [len(each) for each in group_rows(rows, max_recipients=3, differs=True)] == found


def test_a_text_with_a_reserved_mark_goes_with_its_equals_only() -> None:
    texts = ["a", "${b}", "c", "${b}", "${d}", "gsm7"]
    rows = [Row(id=i, msisdn=f"+45{i}", text=text) for i, text in enumerate(texts)]

    groups = group_rows(rows, max_recipients=9, differs=True, reserved={"${"})

    assert sorted([row.id for row in group] for group in groups) == [[0, 2, 5], [1, 3], [4]]


def test_a_request_with_different_texts_costs_what_all_of_them_do() -> None:
    rows = [
        Row(id=i, msisdn=f"+45{i}", text=str(i), parts=parts) for i, parts in enumerate([1, 2, 1, 3, 9, 1])
    ]

    groups = group_rows(rows, max_recipients=9, unit="parts", grain=4, differs=True)

    assert [[row.parts for row in group] for group in groups] == [[1, 2, 1], [3], [9], [1]]


@pytest.mark.parametrize("differs", [False, True])
def test_a_group_of_the_gateways_own_is_alone_in_its_request(*, differs: bool) -> None:
    rows = [Row(id=1), Row(id=2, msisdn="group:7"), Row(id=3, msisdn="contact:7"), Row(id=4, msisdn="+451")]

    groups = group_rows(rows, max_recipients=9, differs=differs)

    assert [[row.id for row in group] for group in groups] == [[2], [3], [1, 4]]


any_rows = st.lists(
    st.builds(
        Row,
        msisdn=st.sampled_from(["+451", "+452", "+453", "+454", "group:1", "contact:1"]),
        text=st.sampled_from(["a", "b", "я", "$c"]),
        group_limit=st.sampled_from([None, 1, 2, 50]),
    ),
    max_size=40,
).map(lambda rows: [numbered(row, i) for i, row in enumerate(rows)])


def numbered(row: Row, number: int) -> Row:
    """Give a row its place, and what its text is cut into."""
    parts, encoding = {"a": (1, "gsm7"), "b": (3, "gsm7"), "я": (2, "ucs2"), "$c": (1, "gsm7")}[row.text]
    return replace(row, id=number, parts=parts, encoding=encoding)


@given(
    rows=any_rows,
    max_recipients=st.integers(1, 5),
    unit=st.sampled_from(UNITS),
    grain=st.none() | st.integers(0, 9),
    differs=st.booleans(),
    reserved=st.sampled_from([(), ("$",)]),
)
def test_every_row_is_in_exactly_one_request_that_a_gateway_takes(  # noqa: PLR0913 - each is one fact about it
    rows: list[Row],
    max_recipients: int,
    unit: Unit,
    grain: int | None,
    *,
    differs: bool,
    reserved: tuple[str, ...],
) -> None:
    groups = list(
        group_rows(
            rows,
            max_recipients=max_recipients,
            unit=unit,
            grain=grain,
            differs=differs,
            reserved=reserved,
        )
    )

    assert sorted(row.id for group in groups for row in group) == [row.id for row in rows]
    for group in groups:
        assert 0 < len(group) <= min(row.group_limit or max_recipients for row in group)
        assert len(group) <= max_recipients
        assert len({row.msisdn for row in group}) == len(group)
        is_free = differs and not any(mark in row.text for row in group for mark in reserved)
        assert len({row.encoding if is_free else row.text for row in group}) == 1
        assert [row.id for row in group] == sorted(row.id for row in group)
        assert len(group) == 1 or not any(":" in row.msisdn for row in group)
        assert len(group) == 1 or grain is None or unit == "requests" or units_of(group, unit) <= grain


@given(rows=any_rows, max_recipients=st.integers(1, 5), differs=st.booleans())
@example(
    rows=[Row(id=0), Row(id=1, group_limit=50), Row(id=2, msisdn="+452")], max_recipients=2, differs=False
)
def test_requests_are_as_full_as_they_may_be(rows: list[Row], max_recipients: int, *, differs: bool) -> None:
    def room(row: Row) -> int:
        return 1 if ":" in row.msisdn else min(max_recipients, row.group_limit or max_recipients)

    groups = list(group_rows(rows, max_recipients=max_recipients, differs=differs))
    keys = [(group[0].encoding if differs else group[0].text, room(group[0])) for group in groups]

    for n, (key, group) in enumerate(zip(keys, groups, strict=True)):
        follows = next(
            (later for k, later in zip(keys[n + 1 :], groups[n + 1 :], strict=True) if k == key), ()
        )
        is_full = len(group) == room(group[0])
        assert not follows or is_full or follows[0].msisdn in {row.msisdn for row in group}


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


@pytest.mark.parametrize(
    ("row", "udh_bits", "differs"),
    [
        (Row(text="a" * 305, parts=2), 8, False),
        (Row(text="a" * 305, parts=2), 16, True),
        (Row(text="a" * 305, parts=3), 16, False),
        (Row(text="a" * 71, encoding="ucs2", parts=2), 8, False),
        (Row(text="a" * 71, encoding="ucs2", parts=1), 8, True),
        (Row(text="\u044f", encoding="gsm7", parts=1), 8, True),
    ],
)
def test_parts_are_counted_as_they_were_when_the_campaign_was_made(
    row: Row, udh_bits: int, *, differs: bool
) -> None:
    assert parts_differ([row], udh_bits=udh_bits) is differs


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
