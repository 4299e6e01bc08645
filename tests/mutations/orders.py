"""Protections of orders to campaigns: control, further files, reminders, notices."""

from tests.mutations.tree import Edit, Protection

_ADDING = "worker/ledger/adding.py"
_LETTING = "worker/ledger/letting.py"
_CONTROL = "worker/ledger/control.py"
_RESCHEDULING = "worker/ledger/rescheduling.py"
_TESTS = "tests/integration/ledger"
_AT_ONCE = "tests/integration/reminders/test_at_once.py"
_CORRECTED = "tests/integration/reminders/test_corrected.py"
_REMINDERS = "tests/integration/reminders/test_runs.py"

ORDERS = (
    Protection(
        "nothing of a further file is let in when its campaign was cancelled meanwhile",
        (
            Edit(
                _ADDING,
                "        CAMPAIGNS.c.state.in_(_TAKES),\n        CAMPAIGNS.c.importing_until == importer",
                "        CAMPAIGNS.c.importing_until == importer",
            ),
        ),
        (
            (
                f"{_TESTS}/test_adding.py::test_of_a_file_that_is_being_added_to_a_campaign_that_is_cancelled_"
                "nothing_is_released[sqlite-about to be let in]"
            ),
        ),
    ),
    Protection(
        "what was compared with a campaign that was added to since is not added",
        (Edit(_ADDING, "    if _last(connection, campaign_id) != found.last:\n", "    if not found:\n"),),
        (
            (
                f"{_TESTS}/test_adding.py::test_numbers_that_came_after_they_were_compared_are_not_added_twice"
                "[sqlite]"
            ),
        ),
    ),
    Protection(
        "what was let in counts before it is open",
        (
            Edit(
                _LETTING,
                "    return ~BATCHES.c.is_added | select(_OWN.c.id).where(*own)",
                "    return ~BATCHES.c.is_added & ~select(_OWN.c.id).where(*own, _OWN.c.id < 0)",
            ),
        ),
        (
            f"{_TESTS}/test_adding.py::test_what_was_let_in_counts_before_it_is_open[sqlite]",
            f"{_TESTS}/test_adding.py::test_what_was_let_in_is_cancelled_with_its_campaign[sqlite]",
        ),
    ),
    Protection(
        "a tick opens what was let in by a program that was killed then",
        (Edit("worker/dispatch.py", "            self.open_added()\n", ""),),
        ("tests/integration/test_dispatch.py::test_a_tick_opens_what_was_let_in[sqlite]",),
    ),
    Protection(
        "a person who pauses what is being rescheduled is obeyed when that ends",
        (
            Edit(
                _CONTROL,
                "    if orders.is_paused_for_it(state, former_reason):",
                "    if orders.is_paused_for_it(state, None):",
            ),
        ),
        (
            (
                f"{_TESTS}/test_control.py::test_a_person_who_pauses_what_is_being_rescheduled_is_obeyed_when_"
                "that_ends[sqlite]"
            ),
        ),
    ),
    Protection(
        "what comes back while a campaign is rescheduled is moved before it goes on",
        (
            Edit(
                _RESCHEDULING,
                "is_under_way(row) and _is_unmoved(connection, begun)",
                "is_under_way(row) and not begun",
            ),
        ),
        (f"{_TESTS}/test_rescheduling.py::test_what_comes_back_after_the_last_look_is_moved_too[sqlite]",),
    ),
    Protection(
        "a pause makes no order of one that was given up",
        (Edit("worker/ledger/half_moved.py", " and not begun.is_given_up\n", "\n"),),
        (f"{_TESTS}/test_rescheduling.py::test_a_pause_makes_no_order_of_one_that_was_given_up[sqlite]",),
    ),
    Protection(
        "what could hop while it is rescheduled waits for its new time",
        (
            Edit(
                "worker/ledger/outcomes.py",
                "failover.being_rescheduled(connection, may_hop) if may_hop else set()",
                "set()",
            ),
        ),
        (
            (
                f"{_TESTS}/test_rescheduling.py::test_what_would_go_to_the_fallback_meanwhile_gets_the_new_time_"
                "first[sqlite]"
            ),
        ),
    ),
    Protection(
        "a reminder that was called back is cancelled when it comes back",
        (
            Edit(
                "worker/ledger/changes.py",
                "        return not self.is_cancelled and self.withdrawn is None\n",
                "        return not self.is_cancelled\n",
            ),
        ),
        (
            (
                f"{_REMINDERS}::test_what_is_called_back_and_comes_back_is_cancelled_and_may_be_wanted_again"
                "[sqlite]"
            ),
        ),
    ),
    Protection(
        "a reminder that was called back is not retried",
        (
            Edit(
                "worker/ledger/retrying.py",
                ", MESSAGES.c.withdrawn.is_(None))",
                ")",
            ),
        ),
        (f"{_TESTS}/test_retrying.py::test_what_was_withdrawn_is_left_out[sqlite]",),
    ),
    Protection(
        "a reminder that may have reached somebody goes to no corrected number",
        (
            Edit(
                "worker/ledger/reminded.py",
                "        MESSAGES.c.n_doubts == 0,  # no request with it may have been accepted, whatever a "
                "person made of it\n",
                "",
            ),
        ),
        (
            (
                f"{_CORRECTED}::test_what_may_have_reached_somebody_or_was_too_late_stays_as_it_is"
                "[sqlite-another request may have been accepted]"
            ),
        ),
    ),
    Protection(
        "what came to nothing is closed before another goes to the corrected number",
        (
            Edit(
                "worker/ledger/moving.py",
                "can_follow()).values(withdrawn=MOVED)",
                "can_follow()).values(withdrawn=None)",
            ),
        ),
        (f"{_CORRECTED}::test_it_is_sent_there_once_and_to_no_other_number_by_a_retry[sqlite]",),
    ),
    Protection(
        "of two first runs of one file at once, under two names, one is released",
        (
            Edit(
                "producer/reminders/run.py",
                "            is_known = others <= self._others\n",
                "            is_known = True\n",
            ),
        ),
        (
            (
                f"{_AT_ONCE}::test_what_another_series_has_released_since_the_comparison_is_found_before_the_end"
                "[sqlite]"
            ),
            f"{_AT_ONCE}::test_of_two_first_runs_at_once_one_is_released[sqlite]",
        ),
    ),
    Protection(
        "nobody is told of the end of a campaign of which something is left",
        (Edit("worker/ledger/notices.py", "        ~reports.has_left(CAMPAIGNS.c.id),\n", ""),),
        (f"{_TESTS}/test_adding.py::test_a_campaign_is_not_done_while_what_was_let_in_is_not_open[sqlite]",),
    ),
    Protection(
        "the end of a campaign is told again after a resend",
        (
            Edit(
                "worker/ledger/settling.py",
                "        notices.want_of_queued(",
                "        str(",
            ),
        ),
        ("tests/integration/test_noticing.py::test_the_end_is_told_once_more_after_a_resend[sqlite]",),
    ),
)
