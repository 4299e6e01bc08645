import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text, update

from tests.ledgers import a_campaign, import_campaign, importer_of, some_messages
from worker.errors import InputError
from worker.ledger import campaigns, claims, interrupted, reports
from worker.ledger.claims import Identity
from worker.ledger.drafts import SourceCounts
from worker.ledger.engine import reading, writing
from worker.ledger.models import CAMPAIGNS, CLAIMS

COUNTS = SourceCounts(rows=1, duplicates=0, refused=0)
DAY_MS = 86_400_000


def identity(content: str = "hello", *, key: str | None = None, again: bool = False) -> Identity:
    return Identity(content=content, repeat_ms=DAY_MS, key=key, again=again)


def begin(engine: Engine, ours: Identity) -> campaigns.Importer:
    """Begin a campaign and import its one batch."""
    with writing(engine) as connection:
        claims.require_new(connection, ours)
        importer = campaigns.create(connection, a_campaign())
        claims.take(connection, ours, importer.campaign_id)
        return campaigns.add_batch(connection, importer, some_messages(1))


def release(engine: Engine, importer: campaigns.Importer, ours: Identity) -> None:
    with writing(engine) as connection:
        claims.move(connection, ours, importer.campaign_id)
        campaigns.release(connection, importer, COUNTS)


def send(engine: Engine, ours: Identity) -> int:
    """Send one message; return the campaign's id."""
    importer = begin(engine, ours)
    release(engine, importer, ours)
    return importer.campaign_id


def state(engine: Engine, campaign_id: int) -> str:
    with reading(engine) as connection:
        return reports.report(connection, campaign_id).state


def let_importers_die(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(update(CAMPAIGNS).values(importing_until=0))


def let_time_pass(engine: Engine, ms: int) -> None:
    with writing(engine) as connection:
        connection.execute(update(CLAIMS).values(made_at=CLAIMS.c.made_at - ms))


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        pytest.param(identity(), identity(), "This was sent before, as campaign 1", id="the same content"),
        pytest.param(identity(), identity(key="k"), "This was sent", id="the same content with a key"),
        pytest.param(identity(key="k"), identity("other", key="k"), "This key was used", id="the same key"),
    ],
)
def test_a_repeat_is_refused_with_the_earlier_campaign(
    engine: Engine, first: Identity, second: Identity, says: str
) -> None:
    send(engine, first)

    with pytest.raises(InputError) as caught:
        begin(engine, second)

    said = str(caught.value)
    assert caught.value.code == "repeated_send"
    assert said.startswith(says)
    assert "campaign 1 (spring), which is running" in said
    assert "bulksend campaign show 1" in said
    assert "--again" in said


@pytest.mark.parametrize(
    "other", [identity("other"), identity("other", key="l")], ids=["another content", "another key too"]
)
def test_something_else_is_no_repeat(engine: Engine, other: Identity) -> None:
    send(engine, identity(key="k"))

    assert send(engine, other) == 2


def test_a_content_is_a_repeat_for_its_time_only(engine: Engine) -> None:
    send(engine, identity())
    let_time_pass(engine, DAY_MS - 60_000)
    with pytest.raises(InputError):
        send(engine, identity())

    let_time_pass(engine, 60_000)

    assert send(engine, identity()) == 2


def test_a_key_is_used_for_ever(engine: Engine) -> None:
    send(engine, identity(key="k"))
    let_time_pass(engine, 1000 * DAY_MS)

    with pytest.raises(InputError, match="key was used"):
        send(engine, identity("other", key="k"))


def test_again_sends_a_repeat_of_content_and_key(engine: Engine) -> None:
    send(engine, identity(key="k"))

    assert send(engine, identity(key="k", again=True)) == 2


def test_after_again_a_repeat_is_refused_with_the_newest_campaign(engine: Engine) -> None:
    send(engine, identity(key="k"))
    send(engine, identity("other", key="k", again=True))

    with pytest.raises(InputError, match="as campaign 2"):
        send(engine, identity("third", key="k"))


def test_an_again_that_came_to_nothing_leaves_the_earlier_campaign_known(engine: Engine) -> None:
    send(engine, identity())
    importer = begin(engine, identity(again=True))
    with writing(engine) as connection:
        campaigns.abandon(connection, importer)

    with pytest.raises(InputError, match="as campaign 1"):
        send(engine, identity())


@pytest.mark.parametrize("again", [False, True])
def test_what_is_imported_at_this_moment_is_a_repeat(engine: Engine, *, again: bool) -> None:
    begin(engine, identity(again=again))

    with pytest.raises(InputError, match="is being imported at this moment, as campaign 1"):
        begin(engine, identity())


@pytest.mark.parametrize("again", [False, True])
def test_a_campaign_whose_import_was_interrupted_gives_way(engine: Engine, *, again: bool) -> None:
    begin(engine, identity())
    let_importers_die(engine)
    let_time_pass(engine, 2 * DAY_MS)

    with writing(engine) as connection:
        given_way = claims.require_new(connection, identity(again=again))

    assert given_way == [1]
    assert state(engine, 1) == "discarded"


def test_a_discarded_campaign_may_be_sent_again(engine: Engine) -> None:
    begin(engine, identity(key="k"))
    let_importers_die(engine)
    with writing(engine) as connection:
        interrupted.discard(connection, 1)

    assert send(engine, identity(key="k")) == 2


def finish(engine: Engine, campaign_id: int, ours: Identity) -> None:
    """Finish a campaign whose import was interrupted, unless it was overtaken."""
    with writing(engine) as connection:
        claims.require_not_overtaken(connection, ours, campaign_id)
        importer, _ = interrupted.take_over(connection, campaign_id)
    release(engine, importer, ours)


def test_what_was_sent_again_since_is_not_finished(engine: Engine) -> None:
    send(engine, identity())
    interrupted_one = begin(engine, identity(again=True)).campaign_id
    let_importers_die(engine)
    overtaking = send(engine, identity(again=True))

    with pytest.raises(InputError) as caught:
        finish(engine, interrupted_one, identity())

    said = str(caught.value)
    assert caught.value.code == "repeated_send"
    assert f"as campaign {overtaking} (spring), which is running" in said
    assert f"bulksend campaign discard {interrupted_one}" in said
    assert state(engine, interrupted_one) == "importing"


def test_of_two_that_were_to_be_sent_again_and_were_interrupted_one_is_finished(engine: Engine) -> None:
    send(engine, identity(key="k"))
    first, second = (begin(engine, identity(key="k", again=True)).campaign_id for _ in range(2))
    let_importers_die(engine)
    finish(engine, first, identity(key="k"))

    with pytest.raises(InputError, match=f"as campaign {first}"):
        finish(engine, second, identity(key="k"))


def test_what_was_sent_before_does_not_keep_a_repeat_from_being_finished(engine: Engine) -> None:
    send(engine, identity())
    again = begin(engine, identity(again=True)).campaign_id
    let_importers_die(engine)

    finish(engine, again, identity())

    assert state(engine, again) == "running"


def test_what_was_interrupted_first_of_all_is_finished(engine: Engine) -> None:
    only = begin(engine, identity()).campaign_id
    let_importers_die(engine)

    finish(engine, only, identity())

    assert state(engine, only) == "running"


def test_what_overtook_and_was_discarded_is_no_obstacle(engine: Engine) -> None:
    send(engine, identity())
    let_time_pass(engine, 2 * DAY_MS)
    first = begin(engine, identity("other")).campaign_id
    let_importers_die(engine)
    second = begin(engine, identity()).campaign_id
    let_importers_die(engine)
    with writing(engine) as connection:
        interrupted.discard(connection, second)

    finish(engine, first, identity())

    assert state(engine, first) == "running"


def test_a_refused_repeat_leaves_no_trace(engine: Engine) -> None:
    send(engine, identity())
    with pytest.raises(InputError):
        begin(engine, identity(key="k"))

    assert send(engine, identity("other", key="k")) == 2


def test_of_many_who_send_the_same_at_once_one_wins(engine: Engine) -> None:
    start, said = threading.Barrier(4), []

    def try_to_send() -> None:
        start.wait()
        try:
            said.append(f"sent {send(engine, identity())}")
        except InputError as error:
            said.append(error.code)

    in_threads([try_to_send] * 4)

    assert sorted(said) == [*["repeated_send"] * 3, "sent 1"]


@pytest.mark.postgres
def test_who_waits_for_another_is_refused_when_that_one_commits(postgres_engine: Engine) -> None:
    assert sent_beside(postgres_engine, commits=True) == ["repeated_send"]


@pytest.mark.postgres
def test_who_waits_for_another_wins_when_that_one_fails(postgres_engine: Engine) -> None:
    assert sent_beside(postgres_engine, commits=False) == ["sent"]


def sent_beside(engine: Engine, *, commits: bool) -> list[str]:
    """Send in a thread while another transaction has just claimed the same; return what came of it."""
    said = []

    def try_to_send() -> None:
        try:
            begin(engine, identity())
            said.append("sent")
        except InputError as error:
            said.append(error.code)

    second = threading.Thread(target=try_to_send)
    with engine.connect() as connection, connection.begin() as transaction:
        claims.require_new(connection, identity())
        importer = campaigns.create(connection, a_campaign())
        claims.take(connection, identity(), importer.campaign_id)
        second.start()
        while not waits(engine):
            pass
        transaction.commit() if commits else transaction.rollback()
    second.join()
    return said


def waits(engine: Engine) -> bool:
    """Say whether some statement waits for another transaction."""
    with reading(engine) as connection:
        return bool(connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))


@pytest.mark.parametrize("content", [str(number) for number in range(5)])
def test_a_release_and_a_repeat_at_once_do_not_lock_each_other_out(engine: Engine, content: str) -> None:
    importer = begin(engine, identity(content))

    with ThreadPoolExecutor(2) as pool:
        released = pool.submit(release, engine, importer, identity(content))
        repeated = pool.submit(begin, engine, identity(content))

    released.result()
    assert isinstance(repeated.exception(), InputError)
    assert state(engine, importer.campaign_id) == "running"


def in_threads(calls: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_without_claims_nothing_is_a_repeat(engine: Engine) -> None:
    import_campaign(engine)
    importer_of(engine)

    assert send(engine, identity()) == 3
