import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.states import (
    CAMPAIGN_TRANSITIONS,
    MESSAGE_TRANSITIONS,
    OPEN_STATES,
    PROVEN,
    CampaignState,
    MessageState,
    after_outcome,
)

M = MessageState

# What a submission can come to; the rest is decided elsewhere.
any_outcome = st.sampled_from([*sorted(PROVEN), M.QUEUED, M.REJECTED, M.SUPPRESSED, M.UNKNOWN])
any_doubt = st.sampled_from([M.QUEUED, M.REJECTED, M.SUPPRESSED, M.UNKNOWN])
any_state = st.sampled_from(MessageState)
unproven = st.sampled_from([state for state in MessageState if state not in PROVEN])


@given(unproven, st.sampled_from(sorted(PROVEN)), st.booleans(), st.booleans())
def test_proof_of_acceptance_counts_from_any_state_that_is_not_proven(
    current: MessageState,
    proof: MessageState,
    is_current: bool,  # noqa: FBT001 - given by hypothesis
    is_cancelled: bool,  # noqa: FBT001 - as above
) -> None:
    assert after_outcome(current, proof, is_current=is_current, is_cancelled=is_cancelled) is proof


@given(any_state, any_doubt, st.booleans())
def test_nothing_but_proof_counts_from_a_submission_that_is_not_current(
    current: MessageState,
    outcome: MessageState,
    is_cancelled: bool,  # noqa: FBT001 - given by hypothesis
) -> None:
    assert after_outcome(current, outcome, is_current=False, is_cancelled=is_cancelled) is None


@given(st.sampled_from(sorted(PROVEN)), any_doubt, st.booleans())
def test_nothing_leaves_a_proven_state_but_to_the_gateways_word(
    current: MessageState,
    outcome: MessageState,
    is_cancelled: bool,  # noqa: FBT001 - given by hypothesis
) -> None:
    assert after_outcome(current, outcome, is_current=True, is_cancelled=is_cancelled) is None


@given(any_state, any_outcome, st.booleans())
def test_in_a_cancelled_campaign_nothing_is_queued(
    current: MessageState,
    outcome: MessageState,
    is_current: bool,  # noqa: FBT001 - given by hypothesis
) -> None:
    after = after_outcome(current, outcome, is_current=is_current, is_cancelled=True)

    assert after is not M.QUEUED
    assert after in {None, outcome, M.CANCELLED}


@given(any_state, any_outcome, st.booleans(), st.booleans())
def test_every_change_is_one_that_the_table_allows(
    current: MessageState,
    outcome: MessageState,
    is_current: bool,  # noqa: FBT001 - given by hypothesis
    is_cancelled: bool,  # noqa: FBT001 - as above
) -> None:
    after = after_outcome(current, outcome, is_current=is_current, is_cancelled=is_cancelled)

    assert after is None or after in MESSAGE_TRANSITIONS[current]


@given(any_state, any_outcome, st.booleans(), st.booleans())
def test_the_same_word_twice_changes_nothing_the_second_time(
    current: MessageState,
    outcome: MessageState,
    is_current: bool,  # noqa: FBT001 - given by hypothesis
    is_cancelled: bool,  # noqa: FBT001 - as above
) -> None:
    after = after_outcome(current, outcome, is_current=is_current, is_cancelled=is_cancelled) or current

    assert after_outcome(after, outcome, is_current=is_current, is_cancelled=is_cancelled) is None


@pytest.mark.parametrize(
    ("current", "outcome", "after"),
    [
        (M.SUBMITTING, M.QUEUED, M.QUEUED),
        (M.SUBMITTING, M.REJECTED, M.REJECTED),
        (M.SUBMITTING, M.SUPPRESSED, M.SUPPRESSED),
        (M.SUBMITTING, M.UNKNOWN, M.UNKNOWN),
        (M.UNKNOWN, M.QUEUED, M.QUEUED),
        (M.UNKNOWN, M.REJECTED, M.REJECTED),
        (M.ACCEPTED, M.DELIVERED, M.DELIVERED),
        (M.EXPIRED, M.DELIVERED, M.DELIVERED),
        (M.DELIVERED, M.EXPIRED, None),
        (M.DELIVERED, M.ACCEPTED, None),
        (M.QUEUED, M.REJECTED, None),
        (M.REJECTED, M.QUEUED, None),
        (M.CANCELLED, M.QUEUED, None),
    ],
)
def test_outcomes_of_the_current_submission(
    current: MessageState, outcome: MessageState, after: MessageState | None
) -> None:
    assert after_outcome(current, outcome, is_current=True, is_cancelled=False) is after


def test_the_tables_know_every_state() -> None:
    assert set(MESSAGE_TRANSITIONS) == set(MessageState)
    assert set(CAMPAIGN_TRANSITIONS) == set(CampaignState)


def test_no_state_leads_to_itself() -> None:
    assert all(state not in targets for state, targets in MESSAGE_TRANSITIONS.items())


def test_a_row_is_submitted_from_the_queue_only() -> None:
    sources = {state for state, targets in MESSAGE_TRANSITIONS.items() if M.SUBMITTING in targets}

    assert sources == {M.QUEUED}


def test_every_message_can_come_to_an_end_that_is_not_open() -> None:
    assert all(MESSAGE_TRANSITIONS[state] - OPEN_STATES for state in OPEN_STATES)


@pytest.mark.parametrize("end", [CampaignState.CANCELLED, CampaignState.DISCARDED])
def test_a_campaign_that_is_over_stays_so(end: CampaignState) -> None:
    assert CAMPAIGN_TRANSITIONS[end] == frozenset()


def test_what_was_ever_running_is_not_discarded() -> None:
    sources = {state for state, targets in CAMPAIGN_TRANSITIONS.items() if CampaignState.DISCARDED in targets}

    assert sources == {CampaignState.IMPORTING, CampaignState.READY}
