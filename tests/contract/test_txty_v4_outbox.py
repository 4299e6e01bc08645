"""What is kept of a message that was found in an outbox."""

from dataclasses import replace

from tests.contract.cases import ANNA, REFERENCE, says
from tests.contract.cases_txty_v4 import TXTY_V4
from tests.contract.cases_txty_v4_lookup import ONE, outbox, row
from worker.gateways.base import Outcome


def found(**changes: object) -> Outcome:
    heard = TXTY_V4.adapter.hear([ONE], says(200, outbox(row(**changes))))
    assert heard is not None
    return heard[REFERENCE][ANNA]


def test_find_is_marked_as_one_by_likeness() -> None:
    assert (found().code, found().detail) == ("found_alike", None)


def test_find_by_the_gateways_own_id_is_not_marked_so() -> None:
    named = replace(ONE, provider_refs=("918273",))

    heard = TXTY_V4.adapter.hear([named], says(200, outbox(row())))

    assert heard is not None
    assert heard[REFERENCE][ANNA].code is None


def test_failure_keeps_the_gateways_number_and_words() -> None:
    failed = {"failed": True, "error": 13}

    assert found(**failed, errortext="Message terminated.").detail == "13: Message terminated."
    assert found(**failed).detail == "13: the number is wrong"
    assert found(failed=True, error=None).detail == "failed"


def test_failure_keeps_no_number_and_no_text_that_the_gateway_echoes() -> None:
    detail = found(failed=True, error=13, errortext=f"{ANNA}: {row()['text']}").detail

    assert detail is not None
    assert "20304050" not in detail
    assert str(row()["text"]) not in detail
