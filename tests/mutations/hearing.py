"""Protections where gateways are heard: reports that they push, and what they say when they are asked."""

from tests.mutations.tree import Edit, Protection

_SERVICE = "worker/receipts/service.py"
_ADDRESSES = "worker/receipts/addresses.py"
_CONNECTION = "worker/receipts/connection.py"
_MATCHING = "worker/ledger/matching.py"
_DELIVERIES = "worker/ledger/deliveries.py"
_OUTBOX = "worker/gateways/txty_v4/outbox.py"
_DOORS = "tests/unit/receipts/test_addresses.py"
_CALLS = "tests/integration/test_receipts.py"
_CALLERS = "tests/integration/test_receipts_connection.py"
_REPORTS = "tests/integration/ledger/test_deliveries.py"
_ALIKE = "tests/integration/test_alike.py"
_ASKING = "tests/integration/ledger/test_asking.py"
_LOOKUP = "tests/contract/test_lookup.py"

RECEIPTS = (
    Protection(
        "a report is taken only at an address that nobody guesses",
        (Edit(_ADDRESSES, "if hmac.compare_digest(given, ours.encode())]", "if ours]"),),
        (
            f"{_DOORS}::test_every_other_path_leads_nowhere",
            "tests/e2e/test_receipts.py::test_nobody_else_is_told_anything_and_nothing_of_a_call_is_logged",
        ),
    ),
    Protection(
        "of an address all of the token counts",
        (
            Edit(
                _ADDRESSES,
                "if hmac.compare_digest(given, ours.encode())]",
                "if given.startswith(ours.encode())]",
            ),
        ),
        (f"{_DOORS}::test_every_other_path_leads_nowhere",),
    ),
    Protection(
        "nothing of a call is logged",
        (
            Edit("worker/receipts/server.py", "log_config=None,\n", ""),
            Edit("worker/receipts/server.py", 'log_level="error",', 'log_level="info",'),
            Edit("worker/receipts/server.py", "access_log=False,", "access_log=True,"),
        ),
        ("tests/e2e/test_receipts.py::test_nobody_else_is_told_anything_and_nothing_of_a_call_is_logged",),
    ),
    Protection(
        "a request that does not come is not waited for",
        (Edit(_CONNECTION, "self.loop.call_later(self.whole_s,", "self.loop.call_later(1e6,"),),
        (f"{_CALLERS}::test_a_request_that_does_not_come_is_not_waited_for",),
    ),
    Protection(
        "whoever says nothing keeps nobody out",
        (Edit(_CONNECTION, "if len(self.connections) > self.most:", "if False:"),),
        (f"{_CALLERS}::test_many_who_say_nothing_keep_nobody_out",),
    ),
    Protection(
        "a report is in the ledger, as it came, before its gateway is answered",
        (
            Edit(
                _SERVICE,
                "        return _said(200) if await self._intake.keep(pushed) else _said(404)\n",
                "        await self._intake.keep(pushed)\n        return _said(200)\n",
            ),
        ),
        (f"{_CALLS}::test_a_gateway_whose_report_cannot_be_kept_now_is_answered_so_that_it_calls_again",),
    ),
    Protection(
        "a report that an adapter fails on stops none of the others",
        (
            Edit(
                "worker/receipts/reader.py",
                "return sum((self._settle_all([each]) for each in kept), Counter())",
                "return self._settle([Read(kept=each, told=()) for each in kept])",
            ),
        ),
        (f"{_CALLS}::test_a_call_that_an_adapter_fails_on_stops_none_of_the_others",),
    ),
    Protection(
        "a report moves a message only towards the truth",
        (Edit("worker/states.py", "    _M.DELIVERED: frozenset(),\n", "    _M.DELIVERED: _DELIVERY,\n"),),
        (f"{_REPORTS}::test_in_any_order_with_answer_and_repeats_reports_lead_to_the_same_ledger",),
    ),
    Protection(
        "a report is of the provider at whose address it came, or of its login",
        (
            Edit(
                _MATCHING,
                "return self.provider == provider or (login is not None and self.login == login)",
                "return bool(provider or login)",
            ),
        ),
        (
            f"{_REPORTS}::test_a_report_may_be_of_what_another_provider_of_the_same_login_has_sent",
            f"{_REPORTS}::test_a_report_of_no_known_message_changes_nothing_and_is_kept",
        ),
    ),
    Protection(
        "a report that may be of two messages is of none",
        (Edit(_MATCHING, " if len(several) == 1 for match in several]", " for match in several]"),),
        (f"{_REPORTS}::test_a_report_of_no_known_message_changes_nothing_and_is_kept",),
    ),
    Protection(
        "what one member got is not said of the group",
        (Edit(_MATCHING, ' if kind_of(recipient) == "group" else told', " if False else told"),),
        (f"{_REPORTS}::test_what_one_member_got_is_not_said_of_the_group",),
    ),
    Protection(
        "a report that came before its message was known is looked at again",
        (Edit(_DELIVERIES, "if verdict is not PushOutcome.UNKNOWN or ", "if verdict or "),),
        (f"{_REPORTS}::test_a_report_of_no_known_message_is_given_up_after_three_days",),
    ),
)

LOOKUPS = (
    Protection(
        "what looks like a message and is known to be another is not taken for it",
        (
            Edit(
                "worker/hearing.py",
                "return self._not_of_others(asked, heard) if self.lookup.is_alike else heard",
                "return heard",
            ),
        ),
        (f"{_ALIKE}::test_what_is_known_to_be_another_message_is_not_taken_for_it",),
    ),
    Protection(
        "a message with an id of the gateway's is found by that alone",
        (Edit(_OUTBOX, "[each for each in messages if each.smsid is None]", "messages"),),
        (f"{_ALIKE}::test_what_looks_the_same_and_has_another_id_says_nothing_of_a_message",),
    ),
    Protection(
        "of several that look the same none is taken for a message",
        (Edit(_OUTBOX, "if is_alone and _smsid(row)", "if (is_alone or True) and _smsid(row)"),),
        (f"{_LOOKUP}::test_reply_lets_hear_what_its_case_says",),
    ),
    Protection(
        "what left at another time is not taken for a message",
        (Edit(_OUTBOX, "abs(sent_s - message.sent_at_s) <= _APART_S", "message.sent_at_s"),),
        (f"{_LOOKUP}::test_reply_lets_hear_what_its_case_says",),
    ),
    Protection(
        "that a login is over is no word on what it is asked about",
        (
            Edit(
                "worker/gateways/smsend/states.py",
                "return None if shapes.is_session_over(reply) else {}",
                "return {}",
            ),
        ),
        ("tests/contract/test_smsend.py::test_user_key_that_is_not_known_is_no_word_on_an_order",),
    ),
    Protection(
        "a gateway is asked once in its interval, by whomever",
        (
            Edit(
                "worker/ledger/asking.py",
                "first, ACCOUNTS.c.asked_at <= now_ms() - interval_ms)",
                "first, ACCOUNTS.c.asked_at <= now_ms() + interval_ms)",
            ),
        ),
        (f"{_ASKING}::test_a_gateway_is_asked_once_in_an_interval",),
    ),
    Protection(
        "providers of one login ask together once in an interval",
        (
            Edit(
                "worker/ledger/asking.py",
                "update(ACCOUNTS).where(ACCOUNTS.c.provider == first, ",
                "update(ACCOUNTS).where(ACCOUNTS.c.provider == provider, ",
            ),
        ),
        (f"{_ASKING}::test_providers_of_one_login_ask_together_once_in_an_interval",),
    ),
)
