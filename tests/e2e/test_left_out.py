"""Rows that become no message and are not refused either: counted, and all of them listed."""

from tests.e2e.place import Place
from tests.e2e.warm import Warm

ORDER = ("--text", "Hi {{ first_name }}", "--via", "acme")


def test_a_send_says_how_many_rows_are_double_left_out_and_refused(lone_place: Place, warm: Warm) -> None:
    numbers = ["20000000", "20000000", "+4520000001", "20000001", "20000002", "nobody", "20000003"]
    lone_place.write("members.csv", "msisdn,first_name\n" + "".join(f"{each},Bo\n" for each in numbers))
    warm.run(lone_place, "optout", "add", "+4520000002")

    done = warm.run(lone_place, "send", "members.csv", *ORDER, "--accept-good-rows")

    assert "2 of 7 rows are double: --duplicates FILE lists them" in done.err
    assert "1 of 7 rows is left out (opted_out: 1)" in done.err
    assert "1 of 7 rows is refused (number_not_a_number: 1)" in done.err


def test_all_rows_that_are_left_out_are_in_the_list(lone_place: Place, warm: Warm) -> None:
    numbers = [f"+45{20_000_000 + n}" for n in range(150)]
    lone_place.write("members.csv", "msisdn\n" + "".join(f"{each}\n" for each in [*numbers, numbers[0]]))
    lone_place.write("stopped.csv", "msisdn\n" + "".join(f"{each}\n" for each in numbers[1:]))
    warm.run(lone_place, "optout", "import", "stopped.csv")

    done = warm.run(
        lone_place, "preview", "members.csv", "--text", "Hi", "--via", "acme", "--duplicates", "d.csv"
    )

    listed = (lone_place.folder / "d.csv").read_text(encoding="utf-8-sig").splitlines()[1:]
    assert listed == [*(f"{n},opted_out," for n in range(3, 152)), "152,duplicate,2"]
    assert "and 129 more: --duplicates FILE lists them all" in done.err
