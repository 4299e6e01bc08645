from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import Engine, update

from tests.ledgers import (
    a_campaign,
    assert_counts,
    import_campaign,
    importer_of,
    rows,
    run_campaign,
    some_messages,
)
from worker.errors import InputError
from worker.ledger import campaigns, interrupted, reports
from worker.ledger.drafts import SourceCounts
from worker.ledger.engine import reading, writing
from worker.ledger.models import CAMPAIGNS

COUNTS = SourceCounts(rows=3, duplicates=0, refused=0)


def interrupt(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(update(CAMPAIGNS).values(importing_until=0))


def report(engine: Engine, campaign_id: int = 1) -> reports.CampaignReport:
    with reading(engine) as connection:
        return reports.report(connection, campaign_id)


def take_over(engine: Engine) -> tuple[campaigns.Importer, int]:
    with writing(engine) as connection:
        return interrupted.take_over(connection, 1)


def discard(engine: Engine) -> int:
    """Put the first campaign away and return how many messages were removed."""
    with writing(engine) as connection:
        interrupted.discard(connection, 1)
    n_removed = 0
    while True:
        with writing(engine) as connection:
            n_moved = interrupted.clear(connection, 1)
        if n_moved is None:
            return n_removed
        n_removed += n_moved


def test_a_campaign_is_interrupted_when_its_importers_lease_is_over(engine: Engine) -> None:
    import_campaign(engine)
    before = report(engine)

    interrupt(engine)

    after = report(engine)
    assert (before.is_interrupted, before.is_stuck) == (False, False)
    assert (after.state, after.is_interrupted, after.is_stuck) == ("importing", True, True)


def test_a_released_campaign_is_not_interrupted(engine: Engine) -> None:
    run_campaign(engine)
    interrupt(engine)

    assert not report(engine).is_interrupted


def test_what_was_frozen_is_found_again(engine: Engine) -> None:
    kept = replace(
        a_campaign(), reading={"path": "/a/b.csv", "column": None}, options={"flash": "1"}, fallback="acme-uk"
    )
    with writing(engine) as connection:
        campaigns.create(connection, kept)
    interrupt(engine)

    with reading(engine) as connection:
        assert interrupted.find(connection, 1) == kept


def test_who_takes_over_goes_on_after_the_messages_that_are_there(engine: Engine) -> None:
    importer_of(engine, 2)
    interrupt(engine)

    importer, n_there = take_over(engine)
    with writing(engine) as connection:
        importer = campaigns.add_batch(connection, importer, some_messages(3)[2:])
        campaigns.release(connection, importer, COUNTS)

    assert n_there == 2
    assert [row["line"] for row in rows(engine)] == [2, 3, 4]
    assert (report(engine).state, report(engine).messages) == ("running", 3)
    assert_counts(engine)


def test_of_two_who_take_over_one_is_refused(engine: Engine) -> None:
    import_campaign(engine)
    interrupt(engine)
    take_over(engine)

    with pytest.raises(InputError, match="is being imported at this moment"):
        take_over(engine)


def test_a_discarded_import_leaves_no_messages(engine: Engine) -> None:
    importer = importer_of(engine, 2)
    with writing(engine) as connection:
        campaigns.add_batch(connection, importer, some_messages(3))
    interrupt(engine)

    n_removed = discard(engine)

    assert n_removed == 5
    assert rows(engine) == []
    assert (report(engine).state, report(engine).messages) == ("discarded", 0)
    assert_counts(engine)


def test_a_discard_that_was_interrupted_is_finished_by_repeating_it(engine: Engine) -> None:
    import_campaign(engine, 2)
    interrupt(engine)
    with writing(engine) as connection:
        interrupted.discard(connection, 1)

    assert discard(engine) == 2
    assert discard(engine) == 0


def test_messages_of_other_campaigns_are_not_removed(engine: Engine) -> None:
    import_campaign(engine, 2)
    interrupt(engine)
    run_campaign(engine, 3, name="other")

    discard(engine)

    assert {row["campaign_id"] for row in rows(engine)} == {2}
    assert report(engine, 2).messages == 3


def test_a_campaign_that_is_imported_now_is_not_discarded(engine: Engine) -> None:
    import_campaign(engine)

    with pytest.raises(InputError, match="is being imported at this moment"):
        discard(engine)

    assert report(engine).state == "importing"


@pytest.mark.parametrize("order", [discard, take_over])
def test_a_running_campaign_is_neither_discarded_nor_taken_over(
    engine: Engine, order: Callable[[Engine], object]
) -> None:
    run_campaign(engine)

    with pytest.raises(InputError, match="is running and cannot be"):
        order(engine)

    assert report(engine).messages == 2


@pytest.mark.parametrize("number", [7, 10**30, -(10**30)])
def test_a_campaign_that_is_not_there_is_named(engine: Engine, number: int) -> None:
    with pytest.raises(InputError, match=f"no campaign {number}"), writing(engine) as connection:
        interrupted.discard(connection, number)
