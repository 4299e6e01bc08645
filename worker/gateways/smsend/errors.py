"""What the refusals of the smSend family mean.

Source: the vendor's documentation (smsend/REST-API, 2019-07), read November 2026. It has five statuses and
no list of codes, so the words of a 400 decide, in the languages of the brands: English, Italian, French.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from worker.gateways.base import Verdict
from worker.gateways.checks import target
from worker.gateways.replies import verdict_of_status, words

if TYPE_CHECKING:
    from worker.gateways.base import Submission

_BAD_REQUEST = 400
_NOT_FOUND = 404
_TOO_LARGE = 413

# A fresh order_id that is taken: the same request came twice on its way, and the first one was taken.
_TAKEN = re.compile(
    r"\border[_ ]?id\b.*(duplicat|already|exist|in use|unique|gi\xe0|esiste|d\xe9j\xe0)"
    r"|(duplicat|already|gi\xe0|d\xe9j\xe0).*\border[_ ]?id\b",
    re.IGNORECASE | re.DOTALL,
)
_MONEY = re.compile(r"\b(credits?|balance|funds?|money|credito|saldo|cr\xe9dits?|solde)\b", re.IGNORECASE)
_KEYS = re.compile(r"\b(user_?key|session_?key|access_?token|unauthori[sz]ed|credentials?)\b", re.IGNORECASE)
_STOP_LIST = re.compile(r"black ?list|opt(ed)?[ -]?out|stop ?list", re.IGNORECASE)
_RECIPIENT = re.compile(
    r"recipient|destinatari|destinataire|\brcpt\b|msisdn|black ?list|opt(ed)?[ -]?out|stop ?list"
    r"|\b(phone|mobile)\b|\bnumbers?\b(?! of\b)|\bnumeri?\b|\bnumero\b(?! di\b)|cellular",
    re.IGNORECASE,
)
_GROUP = re.compile(r"groups?\b|grupp|groupe", re.IGNORECASE)
_SENDER = re.compile(r"\b(sender|alias|tpoa|mittente|exp\xe9diteur)", re.IGNORECASE)
_TIME = re.compile(r"schedul|programm|time_?zone|(?<![a-z])(date|time|orario|heure)(?![a-z])", re.IGNORECASE)
# Of one text and not of them all: how long it is, and what stands in it.
_TEXT = re.compile(
    r"\b(message|text|body|content|testo|messaggio|contenuto|texte|contenu)s?\b.*"
    r"\b(long|longer|short|empty|characters|length|lungo|vuoto|caratteri|caract\xe8res)\b"
    r"|\bforbidden (links?|words?|contents?)\b",
    re.IGNORECASE | re.DOTALL,
)


def verdict_of_refusal(submission: Submission, *, status: int, said: str) -> Verdict:
    """Class a refused submission by its status and, for a 400, by what the gateway said.

    One bad recipient refuses the whole request, so it is split until the bad one is alone; and so does one
    bad text where they differ, unless what they share is to blame.
    """
    n = len(submission.recipients)
    said = _without_name(submission, said)
    if status == _TOO_LARGE:
        return Verdict.SPLIT if n > 1 else Verdict.CAMPAIGN
    if status == _NOT_FOUND:
        return Verdict.ACCOUNT
    if status != _BAD_REQUEST:
        return verdict_of_status(status)
    if _TAKEN.search(said):
        return Verdict.AMBIGUOUS
    if _MONEY.search(said) or _KEYS.search(said):
        return Verdict.ACCOUNT
    return _of_bad_request(submission, said=said)


def _without_name(submission: Submission, said: str) -> str:
    """Leave out the name of the campaign, which may say anything."""
    name = words(submission.options.get("campaign_name"))
    return re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "***", said) if name else said


def _of_bad_request(submission: Submission, *, said: str) -> Verdict:
    is_group = bool(target(submission.recipients[0])[0])
    about = _GROUP if is_group else _RECIPIENT
    is_of_one = about.search(said) and not _SENDER.search(said)
    is_of_all = _SENDER.search(said) or _TIME.search(said)
    if len(submission.recipients) > 1 and (is_of_one or (submission.texts and not is_of_all)):
        return Verdict.SPLIT
    if not is_of_one:
        return Verdict.TEXT if _TEXT.search(said) and not is_of_all else Verdict.CAMPAIGN
    return Verdict.OPTED_OUT if _STOP_LIST.search(said) else Verdict.RECIPIENT
