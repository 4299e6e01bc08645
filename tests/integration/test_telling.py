"""A person's order to take a campaign back: what is told, how long it lasts, and what is said of it."""

from collections import Counter
from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from producer.taking import TakenBack, Telling
from tests.keeping import NONSENSE, OBEYS, REST_S, Answering, handed_over, schedule, taker, takings
from tests.ledgers import (
    LOGIN,
    PROVIDER,
    cancel,
    do,
    due_rows,
    lease,
    mark,
    record,
    release,
    result,
    run_campaign,
    states,
    submissions,
)
from worker.errors import NotSent
from worker.ledger import kept, taking
from worker.ledger.engine import reading
from worker.ledger.kept import Standing
from worker.ledger.taking import Wish
from worker.states import MessageState, Taking
from worker.waiting import within


def cancelled(engine: Engine, n_requests: int) -> None:
    """Hand a campaign over in requests of one message each, and cancel it."""
    held = lease(engine, run_campaign(engine, n_requests))
    for marked in mark(engine, held, *([row] for row in due_rows(engine, held))):
        record(engine, result(marked, MessageState.ACCEPTED))
    release(engine, held)
    schedule(engine)
    cancel(engine, 1)


def telling(
    engine: Engine,
    gateway: object,
    *,
    again_s: float = 0.0,
    patience_s: float = 5.0,
    on_back: Callable[[int], None] = lambda _: None,
) -> Telling:
    """Prepare to tell a gateway; by default no wish rests."""
    return Telling(
        engine=engine,
        campaign_id=1,
        takers=[taker(engine, gateway, again_s=again_s)],
        on_back=on_back,
        patience_s=patience_s,
    )


def taken_back(engine: Engine) -> TakenBack:
    with reading(engine) as connection:
        return TakenBack(standing=kept.standing(connection, 1))


def lasts(seconds: float) -> Callable[[], object]:
    """Let a call last so long."""
    return lambda: within(seconds, lambda: False)


# --- how long it lasts


def test_each_request_is_told_once_by_one_order_however_unclear_the_answers(engine: Engine) -> None:
    cancelled(engine, 3)
    gateway = Answering([NONSENSE] * 9)

    telling(engine, gateway).run()

    assert len(gateway.asked) == 3


def test_of_a_gateway_that_is_away_no_more_is_asked(engine: Engine) -> None:
    def fail() -> None:
        raise NotSent("away")

    cancelled(engine, 3)
    gateway = Answering([], before=fail)

    telling(engine, gateway).run()

    assert len(gateway.asked) == 1
    assert takings(engine) == [None] * 3


def test_it_goes_on_as_long_as_something_is_given_back(engine: Engine) -> None:
    cancelled(engine, 4)

    telling(engine, Answering([OBEYS] * 4, before=lasts(0.2)), patience_s=0.5).run()

    assert states(engine) == ["cancelled"] * 4


def test_it_ends_when_nothing_is_given_back_for_long(engine: Engine) -> None:
    cancelled(engine, 9)
    gateway = Answering([NONSENSE] * 9, before=lasts(0.2))

    telling(engine, gateway, patience_s=0.3).run()

    assert 1 <= len(gateway.asked) < 9


def test_progress_is_told_after_each_request(engine: Engine) -> None:
    cancelled(engine, 3)
    told: list[int] = []

    telling(engine, Answering([OBEYS, NONSENSE, OBEYS]), on_back=told.append).run()

    assert told == [1, 0, 1]


# --- what others have under way


def claimed(engine: Engine) -> Wish:
    """Tell the gateway as a worker does, which has no answer yet."""
    with reading(engine) as connection:
        wish = taking.next_wish(connection, PROVIDER, login=LOGIN, again_ms=0, ahead_ms=0)
    assert wish is not None
    told = do(engine, taking.claim, wish)
    assert told is not None
    return told


def test_the_answer_that_a_worker_waits_for_is_waited_for(engine: Engine) -> None:
    handed_over(engine)
    cancel(engine, 1)
    wish = claimed(engine)

    def answer(_n_back: int) -> None:
        do(engine, taking.note, wish, Taking.BACK)

    telling(engine, Answering([]), again_s=REST_S, on_back=answer).run()

    assert states(engine) == ["cancelled"] * 2
    assert taken_back(engine).is_whole


def test_what_a_worker_could_not_tell_is_told_by_the_order(engine: Engine) -> None:
    handed_over(engine)
    cancel(engine, 1)
    wish = claimed(engine)

    def fail(_n_back: int) -> None:
        do(engine, taking.note_unsaid, wish)

    telling(engine, Answering([OBEYS]), again_s=REST_S, on_back=fail).run()

    assert states(engine) == ["cancelled"] * 2


def test_no_answer_is_waited_for_longer_than_a_call_lasts(engine: Engine) -> None:
    handed_over(engine)
    cancel(engine, 1)
    claimed(engine)

    telling(engine, Answering([]), again_s=REST_S, patience_s=0.3).run()

    assert takings(engine) == ["unclear"]


def test_what_is_on_its_way_to_the_gateway_is_waited_for(engine: Engine) -> None:
    held = lease(engine, run_campaign(engine, 1))
    (marked,) = mark(engine, held)
    schedule(engine)
    cancel(engine, 1)

    def arrive(_n_back: int) -> None:
        record(engine, result(marked, MessageState.ACCEPTED))

    telling(engine, Answering([OBEYS]), on_back=arrive).run()

    assert [each["taken"] for each in submissions(engine)] == ["back"]


# --- what is said of it


def test_what_left_while_it_was_taken_back_is_said(engine: Engine) -> None:
    cancelled(engine, 3)
    gateway = Answering([OBEYS], before=lambda: schedule(engine, ahead_ms=-1000))

    telling(engine, gateway).run()
    found = taken_back(engine)

    assert not found.is_whole
    assert list(found.sentences()) == [
        "Taken back from the gateway: 1 message",
        "Left at their time, not taken back: 2 messages",
    ]


def test_what_is_known_to_have_left_is_said(engine: Engine) -> None:
    marked = handed_over(engine)
    cancel(engine, 1)
    record(engine, result(marked, MessageState.DELIVERED))

    found = taken_back(engine)

    assert not found.is_whole
    assert list(found.sentences()) == ["Left at their time, not taken back: 2 messages"]


def test_of_what_had_left_before_nothing_is_said() -> None:
    kept_ = Counter[tuple[str, Taking | None]]({(PROVIDER, None): 2})
    found = TakenBack(standing=Standing(is_over=True, kept=kept_), was_ahead=False)

    assert found.is_whole
    assert list(found.sentences()) == []


@pytest.mark.parametrize(
    ("taken", "silent", "nameless", "says"),
    [
        (Taking.TOO_LATE, {}, {}, "it is too late"),
        (Taking.UNCLEAR, {}, {}, "it is not known whether they will leave"),
        (Taking.UNCLEAR, {}, {PROVIDER: "no id"}, "it is not known whether they will leave"),
        (None, {}, {}, "it could not be told yet"),
        (None, {}, {PROVIDER: "no id"}, "no id"),
        (None, {PROVIDER: "no secret"}, {}, "no secret"),
    ],
)
def test_why_something_is_not_taken_back_is_said(
    taken: Taking | None, silent: dict[str, str], nameless: dict[str, str], says: str
) -> None:
    kept_ = Counter[tuple[str, Taking | None]]({(PROVIDER, taken): 2})
    standing = Standing(is_over=False, kept=kept_)

    (sentence,) = TakenBack(standing=standing, silent=silent, nameless=nameless).sentences()

    assert sentence.startswith(f"Not taken back from {PROVIDER}: 2 messages; {says}")


def test_an_earlier_request_that_may_be_kept_is_said() -> None:
    doubtful = Counter[tuple[str, Taking | None]]({(PROVIDER, Taking.UNCLEAR): 1})
    found = TakenBack(standing=Standing(is_over=False, doubtful=doubtful))

    assert not found.is_whole
    assert "by an earlier request, not taken back: 1 message" in next(found.sentences())
