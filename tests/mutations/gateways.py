"""Protections where gateways are spoken to: logins that are shared, refusals of one for all, secrets."""

from tests.mutations.tree import Edit, Protection

_SHARED = "worker/sessions.py"
_SESSION = "worker/gateways/session.py"
_LOGINS = "tests/integration/test_sessions.py"
_LINES = "tests/contract/test_session.py"
_SESSIONS = "tests/e2e/test_sessions.py"
_REPLIES = "tests/contract/test_replies.py"
_REQUESTS = "tests/contract/test_requests.py"
_HTTP = "tests/contract/test_http.py"
_RECORD = "tests/unit/sending/test_record.py"

SESSIONS = (
    Protection(
        "of all workers one logs in",
        (
            Edit(
                _SHARED,
                "                if kept is not None and kept != instead_of:\n",
                "                if False:\n",
            ),
        ),
        (
            f"{_LOGINS}::test_of_many_workers_one_logs_in_and_all_have_its_session",
            f"{_LOGINS}::test_a_session_that_is_over_is_replaced_once",
        ),
    ),
    Protection(
        "a read whose session was over is repeated with another",
        (
            Edit(
                _SESSION,
                "        if is_over:\n            reply, is_over = self._read_once(request,",
                "        if False:\n            reply, is_over = self._read_once(request,",
            ),
        ),
        (f"{_LINES}::test_a_read_logs_in_once_more_and_is_repeated_once",),
    ),
    Protection(
        "a request that sends is not repeated when its session was over",
        (
            Edit(
                _SESSION,
                "        self._note(reply, session=session)\n        return reply\n",
                "        if self._note(reply, session=session):\n"
                "            return self._read(request, body_limit=body_limit)\n"
                "        return reply\n",
            ),
        ),
        (f"{_LINES}::test_a_request_that_sends_is_not_repeated",),
    ),
    Protection(
        "nobody logs in between mark and write",
        (
            Edit(
                _SESSION,
                '            raise TooLate("the session ended before',
                '            session = self._current()\n            TooLate("the session ended before',
            ),
        ),
        (f"{_LINES}::test_between_mark_and_write_nobody_logs_in",),
    ),
    Protection(
        "two new sessions in a row that are refused are trouble of the account",
        (Edit(_SESSION, "_IN_VAIN = 2 ", "_IN_VAIN = 1000000 "),),
        (f"{_LINES}::test_a_second_session_in_a_row_that_is_refused_is_trouble_of_the_account",),
    ),
    Protection(
        "a login that is refused is trouble of the account",
        (Edit(_SESSION, "        if said.verdict is Verdict.ACCOUNT:\n", "        if False:\n"),),
        (
            f"{_LINES}::test_a_login_that_is_refused_is_trouble_of_the_account",
            f"{_SESSIONS}::test_with_a_wrong_password_all_wait_and_leave_once_when_it_is_right",
        ),
    ),
    Protection(
        "who waited for a login that was refused does not try himself",
        (
            Edit(
                _SHARED,
                "                if has_waited:\n                    self._raise_failure()\n",
                "                _ = has_waited\n",
            ),
        ),
        (f"{_LOGINS}::test_who_waited_for_a_login_that_failed_does_not_try_himself",),
    ),
    Protection(
        "a session that is over is dropped for all",
        (Edit(_SHARED, "self._redis.eval(_DROP, 1, self._name, seen)", "pass"),),
        (f"{_LOGINS}::test_a_session_is_dropped_for_all",),
    ),
    Protection(
        "a session that has taken the place of another is not dropped with that",
        (
            Edit(
                _SHARED,
                "if redis.call('get', KEYS[1]) == ARGV[1] then return",
                "if true then return",
            ),
        ),
        (f"{_LOGINS}::test_a_session_that_another_has_replaced_is_not_dropped",),
    ),
    Protection(
        "a session lies encrypted in Redis",
        (
            Edit(_SHARED, "sealed = self._cipher.encrypt(session.encode())", "sealed = session.encode()"),
            Edit(_SHARED, "return self._cipher.decrypt(sealed).decode()", "return sealed.decode()"),
        ),
        (
            f"{_LOGINS}::test_no_secret_lies_in_redis_in_the_clear",
            f"{_SESSIONS}::test_a_session_that_ends_in_the_middle_costs_nothing_and_is_begun_again_once",
        ),
    ),
    Protection(
        "a session is read only with the secret that it was begun with",
        (Edit(_SHARED, "Fernet(_key(secret, salt=login_key))", 'Fernet(_key("", salt=login_key))'),),
        (f"{_LOGINS}::test_with_another_secret_there_is_no_session",),
    ),
)

REFUSALS = (
    Protection(
        "a request that smSend refuses for one of its numbers is split",
        (
            Edit(
                "worker/gateways/smsend/errors.py",
                "        return Verdict.SPLIT\n    if not is_of_one:",
                "        return Verdict.CAMPAIGN\n    if not is_of_one:",
            ),
        ),
        (
            f"{_REPLIES}::test_documented_refusal_has_its_class_alone_and_among_several_and_keeps_its_words",
            "tests/e2e/test_different_texts.py::test_one_bad_number_costs_the_others_of_its_request_nothing",
        ),
    ),
    Protection(
        "a request that Text Marketer refuses for one of its numbers is split",
        (
            Edit(
                "worker/gateways/textmarketer/answers.py",
                "            verdict = Verdict.SPLIT\n",
                "            verdict = Verdict.RECIPIENT\n",
            ),
        ),
        (f"{_REPLIES}::test_documented_refusal_has_its_class_alone_and_among_several_and_keeps_its_words",),
    ),
    Protection(
        "a split halves until the bad one is alone",
        (Edit("worker/sending/record.py", "group_limit=max(1, size // 2)", "group_limit=max(1, size)"),),
        (f"{_RECORD}::test_a_split_halves_the_request",),
    ),
    Protection(
        "of whom an answer says nothing, nothing is known",
        (
            Edit(
                "worker/sending/record.py",
                "_SILENCE = Outcome(verdict=Verdict.AMBIGUOUS,",
                "_SILENCE = Outcome(verdict=Verdict.RETRY,",
            ),
        ),
        (f"{_RECORD}::test_nobody_answered_for_is_taken_for_accepted_or_refused",),
    ),
    Protection(
        "an answer that speaks of another message accepts nothing",
        (
            Edit(
                "worker/gateways/txty_v6.py",
                "        if not _is_about(submission, message=message, said=said):\n",
                "        if False:\n",
            ),
        ),
        (f"{_REPLIES}::test_reply_means_what_its_case_says",),
    ),
    Protection(
        "a fresh order that is taken already came twice, and is not sent again",
        (
            Edit(
                "worker/gateways/smsend/errors.py",
                "        return Verdict.AMBIGUOUS\n",
                "        return Verdict.RETRY\n",
            ),
        ),
        (f"{_REPLIES}::test_documented_refusal_has_its_class_alone_and_among_several_and_keeps_its_words",),
    ),
)

SECRETS = (
    Protection(
        "no address with credentials stands in an error",
        (
            Edit(
                "worker/gateways/http.py",
                "raise _failure(host=_host(request.url), reason=reason, wrote=attempt.wrote)",
                "raise _failure(host=request.url, reason=reason, wrote=attempt.wrote)",
            ),
        ),
        (
            f"{_HTTP}::test_request_without_readable_answer_is_unknown_and_the_error_tells_no_secret",
            f"{_HTTP}::test_address_that_cannot_be_reached_is_not_sent_and_the_error_tells_no_secret",
        ),
    ),
    Protection(
        "no error keeps the library's own, which holds the address",
        (
            Edit(
                "worker/gateways/http.py",
                '            reason = "deadline" if attempt.is_late else _reason(error)\n',
                '            reason = "deadline" if attempt.is_late else _reason(error)\n'
                "            raise _failure(host=_host(request.url), reason=reason, wrote=attempt.wrote)\n",
            ),
        ),
        (f"{_HTTP}::test_request_without_readable_answer_is_unknown_and_the_error_tells_no_secret",),
    ),
    Protection(
        "a request shows no address",
        (
            Edit(
                "worker/gateways/base.py",
                "    method: str\n    url: str = field(repr=False)\n",
                "    method: str\n    url: str\n",
            ),
        ),
        (f"{_REQUESTS}::test_no_value_shows_secret_number_or_text",),
    ),
    Protection(
        "a secret that a gateway echoes is not kept",
        (Edit("worker/gateways/replies.py", 'line = line.replace(secret, "***")', "line = str(line)"),),
        (
            f"{_REPLIES}::test_outcome_keeps_no_secret_number_or_text_that_the_gateway_echoes",
            "tests/contract/test_lookup.py::test_reason_keeps_no_secret_or_number_that_the_gateway_echoes",
        ),
    ),
    Protection(
        "a number that a gateway echoes is not kept",
        (
            Edit(
                "worker/gateways/replies.py", 'return _NUMBER.sub("***", line)[:limit]', "return line[:limit]"
            ),
        ),
        (f"{_REPLIES}::test_outcome_keeps_no_secret_number_or_text_that_the_gateway_echoes",),
    ),
)
