"""`bulksend unknown`: listed, and settled by a person."""

import json
import os
import pty
import socket
import subprocess
from typing import Any

import pytest

from tests.e2e.place import COMMAND, DEADLINE_S, NAMELESS, NOBODY, Done, Place
from tests.e2e.warm import Warm
from tests.ledgers import (
    change_submissions,
    due_rows,
    lease,
    mark,
    record,
    release,
    result,
    rows,
    run_campaign,
)
from worker.states import MessageState

ONE_ORDER = "Give one of --as accepted, --as failed and --resend"
FIRST = "+4520304000"
ONE_TARGET = "Give ids of messages, or --campaign"


@pytest.fixture
def left(lone_place: Place) -> Place:
    """Give a place with a campaign of which messages 1 and 2 are unknown, 3 is queued."""
    held = lease(lone_place.engine, run_campaign(lone_place.engine, 3))
    rows = due_rows(lone_place.engine, held)
    for marked in mark(lone_place.engine, held, rows[:1], rows[1:2]):
        record(lone_place.engine, result(marked, MessageState.UNKNOWN, code="502", detail="Bad Gateway"))
    release(lone_place.engine, held)
    change_submissions(lone_place.engine, login=None)  # as an older Bulksend left it
    return lone_place


def lose_the_third(place: Place) -> None:
    """Have message 3 sent, and be unknown too."""
    held = lease(place.engine, 1)
    for marked in mark(place.engine, held):
        record(place.engine, result(marked, MessageState.UNKNOWN))
    release(place.engine, held)


def listed(done: Done) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(done.out)
    return found


def settle(place: Place, warm: Warm, *words: str) -> Done:
    return warm.run(place, "unknown", "settle", *words)


def test_unknown_messages_are_listed_with_what_was_said(left: Place, warm: Warm) -> None:
    first, second = listed(warm.run(left, "unknown", "list", "--json"))
    for_people = warm.run(left, "unknown", "list")

    assert (first["id"], first["campaign"], first["provider"], second["id"]) == (1, 1, "acme", 2)
    assert (first["msisdn"], first["line"]) == ("+4520304000", 2)
    assert (first["code"], first["detail"], len(first["reference"])) == ("502", "Bad Gateway", 20)
    assert (first["final"], first["asked"]) == (False, True)
    assert 0 <= first["age_s"] < 60
    assert "502 Bad Gateway" in for_people.out
    assert "is asked by itself" in for_people.out


def test_the_list_is_limited_to_so_many_and_to_a_campaign(left: Place, warm: Warm) -> None:
    limited = listed(warm.run(left, "unknown", "list", "--limit", "1", "--json"))
    elsewhere = warm.run(left, "unknown", "list", "--campaign", "2")

    assert [row["id"] for row in limited] == [1]
    assert (elsewhere.out, elsewhere.err) == ("", "Nothing is unknown\n")


def test_what_is_older_than_the_patience_is_final(left: Place, warm: Warm) -> None:
    settings = left.folder / "bulksend.toml"
    settings.write_text(settings.read_text().replace("[timers]", '[timers]\npatience = "1ms"'))

    first, _ = listed(warm.run(left, "unknown", "list", "--json"))

    assert (first["final"], first["asked"]) == (True, False)


def test_what_went_to_another_login_than_the_present_one_is_for_a_person(left: Place, warm: Warm) -> None:
    change_submissions(left.engine, login="former")

    first, _ = listed(warm.run(left, "unknown", "list", "--json"))
    for_people = warm.run(left, "unknown", "list")

    assert (first["elsewhere"], first["asked"]) == (True, False)
    assert "went to another login: for you" in for_people.out


@pytest.mark.parametrize("verdict", ["accepted", "failed"])
def test_a_message_is_settled_as_a_person_says(left: Place, warm: Warm, verdict: str) -> None:
    done = settle(left, warm, "1", "--as", verdict)

    assert done.code == 0
    assert done.err == f"1 message counts as {verdict} now\n"
    assert left.counts() == {verdict: 1, "unknown": 1, "queued": 1}


def test_a_whole_campaign_is_settled_and_settling_it_again_changes_nothing(left: Place, warm: Warm) -> None:
    first = settle(left, warm, "--campaign", "1", "--as", "accepted")
    again = settle(left, warm, "--campaign", "1", "--as", "failed")

    assert (first.code, again.code) == (0, 0)
    assert "2 messages" in first.err
    assert again.err == "Nothing was unknown any more\n"
    assert left.counts() == {"accepted": 2, "queued": 1}


def test_a_resend_says_the_risk_and_is_refused_where_nobody_can_say_yes(left: Place, warm: Warm) -> None:
    done = settle(left, warm, "--campaign", "1", "--resend")

    assert done.code == 1
    assert "up to 2 people may get theirs twice" in done.err
    assert "--yes" in done.err
    assert left.counts() == {"unknown": 2, "queued": 1}


def test_a_confirmed_resend_queues_them_again(left: Place, warm: Warm) -> None:
    done = settle(left, warm, "1", "2", "--resend", "--yes")

    assert done.code == 0
    assert "2 messages are queued again" in done.err
    assert left.counts() == {"queued": 3}


@pytest.fixture
def forgotten(left: Place) -> Place:
    """Give the same place after the number of message 1 was erased."""
    left.run("person", "erase", FIRST, "--yes")
    return left


def test_a_number_that_was_erased_is_shown_as_removed(forgotten: Place, warm: Warm) -> None:
    first, second = listed(warm.run(forgotten, "unknown", "list", "--json"))
    message = warm.run(forgotten, "message", "show", "1", "--json").json
    for_people = [
        warm.run(forgotten, *words).out for words in (("unknown", "list"), ("message", "show", "1"))
    ]

    assert (first["msisdn"], second["msisdn"], message["msisdn"]) == (None, "+4520304001", None)
    assert all("(removed)" in out and "gone:" not in out for out in for_people)


def test_what_has_no_number_any_more_is_cancelled_rather_than_sent_again(
    forgotten: Place, warm: Warm
) -> None:
    done = settle(forgotten, warm, "--campaign", "1", "--resend", "--yes")

    assert done.code == 0
    assert "cancelled, since their numbers were removed: 1\n" in done.err
    assert "up to 1 people may get theirs twice" in done.err
    assert done.err.endswith(
        "1 message is queued again, unless their campaign is cancelled; 1 message is cancelled\n"
    )
    assert forgotten.counts() == {"queued": 2, "cancelled": 1}


def test_where_no_number_is_left_nobody_is_told_of_a_risk(forgotten: Place, warm: Warm) -> None:
    asked = settle(forgotten, warm, "1", "--resend")
    done = settle(forgotten, warm, "1", "--resend", "--yes")

    assert (asked.code, done.code) == (1, 0)
    assert "twice" not in done.err
    assert done.err.endswith("\n1 message is cancelled\n")


def test_one_message_that_is_not_unknown_keeps_all_from_being_settled(left: Place, warm: Warm) -> None:
    done = settle(left, warm, "1", "3", "99", "--as", "failed")

    assert done.code == 1
    assert "3, 99" in done.err
    assert left.counts() == {"unknown": 2, "queued": 1}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["1"], 2, ONE_ORDER),
        (["1", "--as", "failed", "--resend"], 2, ONE_ORDER),
        (["1", "--as", "lost"], 2, "'lost' is not one of"),
        (["--resend"], 2, ONE_TARGET),
        (["1", "--campaign", "1", "--resend"], 2, ONE_TARGET),
        (["0", "--resend"], 2, "0 is not in the range"),
        (["--campaign", "7", "--resend"], 1, "There is no campaign 7"),
        (["9" * 30, "--as", "failed"], 1, "Not unknown"),
        (["--campaign", "9" * 30, "--as", "failed"], 1, "There is no campaign"),
    ],
)
def test_an_order_that_is_not_clear_changes_nothing(
    left: Place, warm: Warm, words: list[str], code: int, said: str
) -> None:
    done = settle(left, warm, *words)

    assert done.code == code
    assert said in done.err
    assert left.counts() == {"unknown": 2, "queued": 1}


def test_what_becomes_unknown_while_the_question_is_open_is_not_sent_again(left: Place) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, "unknown", "settle", "--campaign", "1", "--resend"],
        cwd=left.folder,
        env=left.environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as command:
        os.close(theirs)
        asked = b""
        while b"[y/N]" not in asked:  # it ends with an error if the command does
            asked += os.read(ours, 1000)
        lose_the_third(left)
        os.write(ours, b"y\n")
        code = command.wait(DEADLINE_S)
    os.close(ours)

    assert code == 0
    assert left.counts() == {"queued": 2, "unknown": 1}


def test_what_a_user_without_a_name_settles_is_kept_with_his_number(left: Place) -> None:
    left.begin_all_with(NAMELESS)

    left.run("unknown", "settle", "1", "--as", "failed")

    assert rows(left.engine)[0]["detail"] == f"by uid {NOBODY}@{socket.gethostname()}"
