"""`bulksend remind`: which file is of which series, and what a run would do."""

import csv
import json

import pytest

from tests.e2e.place import Place
from tests.e2e.test_remind import ORDER, due_in, write
from tests.e2e.warm import Warm
from worker.ledger import reports
from worker.ledger.engine import reading
from worker.ledger.reports import CampaignReport

LIST = "visits.problems.csv"
BAD = "none,11,Cy,{at}\n"


def named(file: str) -> tuple[str, ...]:
    """Give the words of an order for another file."""
    return (ORDER[0], file, *ORDER[2:])


@pytest.fixture
def visits(lone_place: Place) -> Place:
    """Give a place with a file of four appointments, and one that cannot be used."""
    at = due_in(86_400)
    write(lone_place, dict.fromkeys("0123", at))
    lone_place.write("visits.csv", text_of(lone_place) + BAD.format(at=at))
    return lone_place


def text_of(place: Place, file: str = "visits.csv") -> str:
    return (place.folder / file).read_text(encoding="utf-8-sig")


def change(place: Place, old: str, new: str, *, file: str = "visits.csv") -> None:
    assert old in text_of(place, file)
    place.write(file, text_of(place, file).replace(old, new))


# --- refused rows


def test_refused_rows_are_corrected_in_the_file_itself_and_begun_once(visits: Place, warm: Warm) -> None:
    refused = warm.run(visits, *ORDER, "--accept-good-rows")
    change(visits, "none,11", "+4520000011,11")
    done = warm.run(visits, *ORDER, "--json")

    assert (
        f"1 refused row is listed in {LIST}: correct it in visits.csv itself and give that again: "
        "what is there already stays as it is"
    ) in refused.err
    assert (done.json["new"], done.json["unchanged"], visits.counts(2)) == (1, 4, {"queued": 1})


@pytest.mark.parametrize("file", [LIST, "corrected.csv"])
def test_a_list_of_refused_rows_is_no_series_of_its_own(visits: Place, warm: Warm, file: str) -> None:
    warm.run(visits, *ORDER, "--accept-good-rows")
    change(visits, "none,11", "+4520000011,11", file=LIST)
    visits.write(file, text_of(visits, LIST))

    refused = warm.run(visits, *named(file))

    assert (refused.code, visits.n_campaigns()) == (1, 1)
    assert f"{file} is a list of refused rows: correct them in the file that they are of" in refused.err


def test_a_list_is_added_to_a_series_that_is_named(visits: Place, warm: Warm) -> None:
    warm.run(visits, *ORDER, "--accept-good-rows")
    change(visits, "none,11", "+4520000011,11", file=LIST)

    done = warm.run(visits, *named(LIST), "--series", "visits", "--keep-removed", "--json")

    assert (done.json["new"], done.json["cancelled"], visits.counts(2)) == (1, 0, {"queued": 1})


def test_every_refused_row_is_listed_also_those_of_a_key_with_two_appointments(
    visits: Place, warm: Warm
) -> None:
    same, other = due_in(86_400), due_in(90_000)
    rows = "".join(f"+4520000007,7,Dee,{at}\n" for at in (same, same, other, other))
    visits.write("visits.csv", text_of(visits) + rows)

    done = warm.run(visits, *ORDER, "--accept-good-rows", "--json")

    listed = list(csv.DictReader(text_of(visits, LIST).splitlines()))
    assert [(row["bulksend_line"], row["bulksend_code"]) for row in listed] == [
        ("6", "number_not_a_number"),
        *((str(line), "key_twice") for line in range(7, 11)),
    ]
    assert [(row["id"], row["name"]) for row in listed[1:]] == [("7", "Dee")] * 4
    assert (done.json["refused"], done.json["reasons"]["key_twice"]) == (5, 4)


# --- a file with another name


@pytest.fixture
def dated(lone_place: Place, warm: Warm) -> Place:
    """Give a place with an export of yesterday, of which is reminded, and the same of today."""
    write(lone_place, dict.fromkeys("0123", due_in(86_400)))
    lone_place.write("visits-22.csv", text_of(lone_place))
    lone_place.write("visits-23.csv", text_of(lone_place))
    assert warm.run(lone_place, *named("visits-22.csv")).code == 0
    return lone_place


def test_a_series_that_would_double_another_is_not_begun(dated: Place, warm: Warm) -> None:
    refused = warm.run(dated, *named("visits-23.csv"), "--yes")

    assert (refused.code, dated.n_campaigns()) == (1, 1)
    assert (
        "4 of the new reminders of the series visits-23 are queued already by the series visits-22: "
        "the same number, appointment and time before it. Nothing was changed: give --series visits-22"
    ) in refused.err


def test_the_series_goes_on_where_it_is_named(dated: Place, warm: Warm) -> None:
    done = warm.run(dated, *named("visits-23.csv"), "--series", "visits-22", "--json")

    assert (done.json["new"], done.json["unchanged"]) == (0, 4)


def test_both_are_sent_where_that_is_wanted_and_it_is_said(dated: Place, warm: Warm) -> None:
    done = warm.run(dated, *named("visits-23.csv"), "--again")

    assert (done.code, dated.n_campaigns()) == (0, 2)
    assert "are queued already by the series visits-22" in done.err


def test_of_two_series_that_are_begun_at_once_with_the_same_one_is_released(lone_place: Place) -> None:
    write(lone_place, dict.fromkeys(map(str, range(3000)), due_in(86_400)))
    lone_place.write("visits-22.csv", text_of(lone_place))
    lone_place.write("visits-23.csv", text_of(lone_place))

    with (
        lone_place.started(*named("visits-22.csv"), "--yes") as one,
        lone_place.started(*named("visits-23.csv"), "--yes") as other,
    ):
        codes = {one.wait(): one.said, other.wait(): other.said}

    assert sorted(codes) == [0, 1]
    assert "3000 of the new reminders of the series visits-2" in codes[1]
    assert "to go on with that one, or --again to send both" in codes[1]
    assert "Traceback" not in codes[1]
    assert [each.messages for each in all_reports(lone_place)] == [3000]


def all_reports(place: Place) -> list[CampaignReport]:
    """Return what there is of campaigns that were released."""
    with reading(place.engine) as connection:
        found = reports.reports(connection, limit=9)
    return [each for each in found if each.state != "discarded"]


# --- what it would do


def test_a_preview_needs_no_ledger_and_makes_none(visits: Place, warm: Warm) -> None:
    done = warm.run(visits, *ORDER, "--preview", "--json")

    assert done.code == 0
    assert (done.json["new"], done.json["messages"], done.json["refused"]) == (4, 4, 1)
    assert (done.json["cost"], done.json["campaign_id"]) == ({"DKK": "1.40"}, None)
    assert done.json["when"]["starts_at"] == done.json["when"]["ends_at"]
    assert [(each["before"], each["new"]) for each in done.json["offsets"]] == [("1 h", 4)]
    assert not list(visits.folder.glob("*.db")) + list(visits.folder.glob("*.problems.csv"))


def test_a_preview_changes_nothing_and_says_what_the_run_does(visits: Place, warm: Warm) -> None:
    warm.run(visits, *ORDER, "--accept-good-rows")
    change(visits, "+4520000000", "+4520000010")
    before = visits.counts()

    preview = warm.run(visits, *ORDER, "--preview", "--rows", "rows.jsonl")

    assert preview.code == 0
    assert (
        "Nothing was changed. Reminders of the series visits would be: unchanged: 3, to another"
        in preview.err
    )
    assert (visits.counts(), visits.n_campaigns(), text_of(visits, "rows.jsonl")) == (before, 1, "")


def test_every_new_message_is_written_where_that_is_asked(visits: Place, warm: Warm) -> None:
    done = warm.run(visits, *ORDER, "--preview", "--rows", "rows.jsonl")

    rows = [json.loads(line) for line in text_of(visits, "rows.jsonl").splitlines()]
    assert done.code == 0
    assert sorted(row["msisdn"] for row in rows) == [f"+452000000{n}" for n in range(4)]
    assert rows[0]["text"].startswith("Ann 0 at ")


def test_rows_are_of_a_preview(visits: Place, warm: Warm) -> None:
    done = warm.run(visits, *ORDER, "--rows", "rows.csv")

    assert (done.code, "--rows: it is for --preview alone" in done.err) == (2, True)


# --- what a person must know


def test_it_is_said_when_they_leave_and_for_what_an_odd_time_is_taken(lone_place: Place, warm: Warm) -> None:
    write(lone_place, {"1": "2027-03-28 02:30"})

    done = warm.run(lone_place, *ORDER, "--zone", "Europe/Copenhagen")

    assert "What is new or changed leaves from 2027-03-28 01:00 +01:00" in done.err
    assert "2027-03-28 02:30 in Europe/Copenhagen does not exist there" in done.err
    assert "taken for 2027-03-28 03:00 +02:00 (1 message)." in done.err


def test_who_gets_no_reminder_is_said_by_line_and_in_a_sentence(lone_place: Place, warm: Warm) -> None:
    write(lone_place, {"1": due_in(86_400), "2": due_in(-60)})

    done = warm.run(lone_place, *ORDER)

    assert "1 reminder is left out: the time is over [past]" in done.err
    assert "1 appointment has no reminder at all:\n  line 3: the time is over [past]" in done.err


def test_an_appointment_that_is_over_is_told_apart(lone_place: Place, warm: Warm) -> None:
    write(lone_place, {"1": due_in(86_400), "2": due_in(-3601)})

    told = warm.run(lone_place, *ORDER, "--preview", "--json").json
    done = warm.run(lone_place, *ORDER)

    assert [told[name] for name in ("without_reminder", "over", "first_over")] == [0, 1, [3]]
    assert "1 appointment is over, with no reminder known:\n  line 3\n" in done.err
    assert "no reminder at all" not in done.err


def test_a_number_that_was_corrected_is_taken_and_said(visits: Place, warm: Warm) -> None:
    warm.run(visits, *ORDER, "--accept-good-rows")
    change(visits, "+4520000000", "+4520000010")

    done = warm.run(visits, *ORDER, "--accept-good-rows")

    assert "Reminders of the series visits: unchanged: 3, to another number now: 1" in done.err


def test_what_was_cancelled_is_not_called_unchanged(visits: Place, warm: Warm) -> None:
    warm.run(visits, *ORDER, "--accept-good-rows")
    assert warm.run(visits, "campaign", "cancel", "1", "--yes").code == 0

    done = warm.run(visits, *ORDER, "--accept-good-rows")

    assert "Reminders of the series visits: cancelled before, not begun again: 4" in done.err
