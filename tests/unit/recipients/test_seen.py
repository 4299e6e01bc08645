import tracemalloc

from producer.recipients import Seen
from producer.recipients.seen import Double


def test_a_number_is_new_once() -> None:
    seen = Seen()
    numbers = ("+4520304050", "+4520304051", "+4520304050")

    assert [seen.is_new(each, line=2) for each in numbers] == [True, True, False]


def test_a_group_is_seen_twice_as_a_number_is() -> None:
    seen = Seen()
    each = ("group:7", "contact:7", "+457", "group:7", "+457")

    assert [seen.is_new(one, line=2) for one in each] == [True, True, True, False, False]


def test_what_came_again_is_listed_with_the_line_where_it_came_first() -> None:
    seen = Seen()
    for line, each in enumerate(["+451", "group:7", "+452", "+451", "group:7", "+451"], start=2):
        seen.is_new(each, line=line)
    seen.note_elsewhere(line=9)

    assert list(seen) == [Double(5, 2), Double(6, 3), Double(7, 2), Double(9, None)]
    assert len(seen) == 4


def test_a_row_takes_less_than_a_hundred_bytes() -> None:
    n = 200_000
    tracemalloc.start()
    seen = Seen()
    for line in range(n):
        seen.is_new(f"+45{20_000_000 + line}", line=line)
    for line in range(n):
        seen.is_new(f"+45{20_000_000 + line % 1000}", line=line)
    n_doubles = sum(1 for _ in seen)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert n_doubles == n
    assert peak < 100 * 2 * n
