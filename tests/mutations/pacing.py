"""Protections of the provider's limit: departures, connections, and who goes first."""

from tests.mutations.tree import Edit, Protection

_SCRIPT = "worker/throttle/reserve.lua"
_DEPARTURES = "worker/sending/departures.py"
_THROTTLE = "tests/integration/throttle"
_UNIT = "tests/unit/sending"
_CONNECTIONS = f"{_THROTTLE}/test_connections.py"
_SENDING = "tests/integration/test_sending.py"
_UNUSED = f"{_SENDING}::test_what_was_reserved_of_a_longer_limit_and_did_not_leave_is_there_again"
_RATES = "tests/integration/ledger/test_rates.py"

PACING = (
    Protection(
        "what was missed is not made up for by a burst",
        (Edit(_SCRIPT, "due = math.max(due, state.last + state.owed * ask.interval)", "due = due"),),
        (
            f"{_THROTTLE}/test_laws.py::test_a_message_that_costs_more_than_a_second_leaves_and_delays_the_next",
        ),
    ),
    Protection(
        "longer windows slide: what has left within one counts",
        (Edit(_SCRIPT, "count.units + cost > window.amount", "count.units + cost > 2 * window.amount"),),
        (f"{_THROTTLE}/test_laws.py::test_a_longer_window_alone_is_used_but_for_its_last_cell",),
    ),
    Protection(
        "a Redis that was lost grants nothing for a second",
        (
            Edit(
                _SCRIPT,
                "local ready, reason = state.begun + ask.fresh, nil",
                "local ready, reason = state.begun, nil",
            ),
        ),
        (f"{_THROTTLE}/test_away.py::test_a_server_that_was_started_again_empty_begins_anew",),
    ),
    Protection(
        "connections are leases: a killed process has none when its time is over",
        (Edit(_SCRIPT, "  if member.expires > now then", "  if true then"),),
        (f"{_CONNECTIONS}::test_what_a_killed_process_held_is_free_after_its_lease",),
    ),
    Protection(
        "all together never hold more connections than there are",
        (Edit(_SCRIPT, "  free = free - math.max(", "  local _ = math.max("),),
        (f"{_CONNECTIONS}::test_all_together_never_hold_more_than_there_are",),
    ),
    Protection(
        "bulk yields at its next reservation when urgent work waits",
        (Edit(_SCRIPT, "reason = reason or 'urgent' end", "reason = reason end"),),
        (f"{_THROTTLE}/test_urgent.py::test_bulk_gets_nothing_while_urgent_work_waits_and_all_once_it_left",),
    ),
    Protection(
        "nothing leaves before its departure",
        (
            Edit(
                _DEPARTURES,
                "        while not -self.late_s <=",
                "        while self.late_s < 0 and not -self.late_s <=",
            ),
        ),
        (f"{_UNIT}/test_departures.py::test_nothing_leaves_before_its_time",),
    ),
    Protection(
        "a departure that was missed is never used late",
        (
            Edit(
                _DEPARTURES,
                "        if at_s is None:\n",
                "        if at_s is None:\n            return elapsed_s()\n        if False:\n",
            ),
        ),
        (f"{_UNIT}/test_departures.py::test_a_departure_that_was_missed_is_never_used_late",),
    ),
    Protection(
        "by a longer limit too nothing leaves long after its departure",
        (
            Edit(
                "worker/sending/pace.py",
                "    return LEAVES_WITHIN_US / SECOND_US if limits.windows else math.inf\n",
                "    return math.inf\n",
            ),
        ),
        (f"{_SENDING}::test_by_a_longer_limit_too_nothing_leaves_long_after_its_departure",),
    ),
    Protection(
        "a departure that was told late is not moved by that",
        (
            Edit(
                "worker/throttle/redis_clock.py",
                "        return now_s + ahead_s\n",
                "        return answered_s\n",
            ),
        ),
        (
            f"{_THROTTLE}/test_late_answers.py::test_a_departure_is_due_at_the_same_time_however_late_it_was_told",
        ),
    ),
    Protection(
        "what was reserved of a longer limit and did not leave is there again",
        (
            Edit(
                "worker/sending/pace.py",
                "        if not given or not limits.windows:\n",
                "        if given or not limits.windows:\n",
            ),
        ),
        (
            f"{_UNUSED}[sqlite-pause_first-nothing]",
            f"{_UNUSED}[sqlite-lose_a_row-nothing]",
            f"{_UNUSED}[sqlite-lose_ledger-nothing]",
            f"{_UNUSED}[sqlite-nothing-be_too_late]",
        ),
    ),
    Protection(
        "connections go round where there are fewer than processes",
        (Edit(_SCRIPT, "if share == 0 and (", "if false and ("),),
        (f"{_CONNECTIONS}::test_where_there_are_fewer_connections_than_processes_they_go_round",),
    ),
    Protection(
        "no more requests of a process are under way than it holds connections",
        (Edit("worker/sending/gate.py", "self._under_way < self._width", "True"),),
        (f"{_UNIT}/test_gate.py::test_no_more_are_through_than_there_is_room_for",),
    ),
    Protection(
        "no provider takes the children of another",
        (
            Edit(
                "worker/sending/seats.py",
                "free[0] if len(free) > kept else None",
                "free[0] if free else None",
            ),
        ),
        (
            f"{_UNIT}/test_seats.py::test_no_provider_takes_the_seat_of_another",
            f"{_UNIT}/test_seats.py::test_what_is_urgent_takes_no_seat_of_another_provider_either",
        ),
    ),
    Protection(
        "a pause that the gateway asks for holds every provider of the account",
        (
            Edit(
                "worker/ledger/accounts.py",
                "        .where(ACCOUNTS.c.provider.in_(names), ACCOUNTS.c.not_before < until)\n",
                "        .where(ACCOUNTS.c.provider == provider, ACCOUNTS.c.not_before < until)\n",
            ),
        ),
        (f"{_RATES}::test_a_pause_after_a_refusal_holds_every_provider_of_the_account",),
    ),
)
