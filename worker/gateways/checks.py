"""What every adapter refuses before any I/O, by name and without repeating the value.

Limits come from the capabilities of the gateway; what a provider forbids beyond them, it says itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from worker.errors import ConfigError
from worker.text import gsm7
from worker.text.segments import Encoding, is_gsm7

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.gateways.base import Capabilities, Submission

_KINDS = frozenset({"group", "contact"})
_COUNTS_TWICE = {Encoding.GSM_7: "a euro sign", Encoding.UCS_2: "an emoji"}  # each is one of several


def check_base_url(base_url: str) -> str:
    """Give the address without a slash at its end.

    Raises:
        ConfigError: it is not ``http(s)://host[:port][/path]`` in ASCII, without user, query and fragment.
    """
    try:
        parts = urlsplit(base_url)
        is_plain = bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        is_plain = False
    if not is_plain or parts.scheme not in {"http", "https"} or not _is_visible(base_url, without="?#"):
        message = "base_url must look like https://host/path, without user name, question mark or fragment"
        raise ConfigError(message)
    return base_url.rstrip("/")


def _is_visible(text: str, *, without: str) -> bool:
    return all("!" <= character <= "~" and character not in without for character in text)


def check_submission(submission: Submission, *, gateway: str, capabilities: Capabilities) -> None:
    """Refuse what the gateway cannot carry.

    Raises:
        ConfigError: an option, the sender, the encoding or the recipients, named.
    """
    problem = (
        _option_problem(submission, capabilities=capabilities)
        or _sender_problem(submission.sender, capabilities=capabilities)
        or _recipients_problem(submission.recipients, capabilities=capabilities)
        or _text_problem(submission, capabilities=capabilities)
    )
    if problem is None and submission.leaves_at_s is not None and not capabilities.schedules:
        problem = "it cannot keep a message until a time: let Bulksend keep the schedule"
    if problem is not None:
        message = f"gateway {gateway}: {problem}"
        raise ConfigError(message)


def target(recipient: str) -> tuple[str, str]:
    """Divide ``group:ID`` or ``contact:ID`` into its kind and its name; a number has the kind ``""``."""
    kind, colon, ident = recipient.partition(":")
    return (kind, ident) if colon else ("", recipient)


def check_flag(name: str, value: object) -> bool:
    """Read a yes or no as a settings file (``true``) or ``--option`` (``"true"``) gives it.

    Raises:
        ConfigError: it is neither.
    """
    word = str(value).lower()
    if word in {"true", "1"}:
        return True
    if word in {"false", "0"}:
        return False
    message = f"option {name} must be true or false"
    raise ConfigError(message)


def _option_problem(submission: Submission, *, capabilities: Capabilities) -> str | None:
    unknown = sorted(set(submission.options) - capabilities.options)
    if not unknown:
        return None
    known = ", ".join(sorted(capabilities.options)) or "none"
    return f"option {unknown[0]} is not known (known: {known})"


def _sender_problem(sender: str, *, capabilities: Capabilities) -> str | None:
    digits = sender.removeprefix("+")
    if not sender:
        return "sender is empty: give one with --sender or in the provider's settings"
    if digits.isascii() and digits.isdigit():
        limit, kind = capabilities.max_sender_digits, "digits"
    else:
        digits, limit, kind = sender, capabilities.max_sender_alnum, "characters"
    return f"sender has more than {limit} {kind}" if len(digits) > limit else None


def _recipients_problem(recipients: tuple[str, ...], *, capabilities: Capabilities) -> str | None:
    limit = capabilities.max_recipients
    if not recipients:
        return "a request needs a recipient"
    if len(recipients) > limit:
        return f"more than {limit} recipients in one request: lower max_recipients"
    if len(set(recipients)) < len(recipients):
        return "a number stands twice in one request"
    return next(
        (
            problem
            for recipient in recipients
            if (problem := _target_problem(recipient, n=len(recipients), capabilities=capabilities))
        ),
        None,
    )


def _target_problem(recipient: str, *, n: int, capabilities: Capabilities) -> str | None:
    kind, ident = target(recipient)
    if not kind:
        return None
    if kind not in _KINDS:
        return "a recipient is neither a number nor group:ID nor contact:ID"
    if kind not in capabilities.targets:
        known = ", ".join(("numbers", *sorted(capabilities.targets)))
        return f"recipient {kind}: cannot be sent to (known: {known})"
    if not ident:
        return f"recipient {kind}: needs what the gateway calls it, as in {kind}:7"
    return f"recipient {kind}: must be the only one of its request" if n > 1 else None


def _text_problem(submission: Submission, *, capabilities: Capabilities) -> str | None:
    encoding, texts = submission.encoding, submission.texts
    if encoding not in capabilities.encodings:
        return f"encoding {encoding} is not carried: write the text in other characters"
    is_asked = encoding is Encoding.UCS_2 and not capabilities.is_told_encoding
    if is_asked and all(map(is_gsm7, texts or (submission.text,))):
        return "it chooses the encoding itself, and takes GSM-7 for a text that this holds"
    if texts is not None and not capabilities.differs:
        return "one request cannot carry different texts: send them one by one"
    if texts is not None and len(texts) != len(submission.recipients):
        return "there is not one text for each recipient"
    limit = capabilities.max_characters.get(encoding)
    if limit is not None and any(is_longer(text, limit, encoding) for text in texts or (submission.text,)):
        return too_long(limit, encoding)
    return None


def is_longer(text: str, limit: int, encoding: Encoding) -> bool:
    """Say whether a text has more septets or 16 bit units than that."""
    if 2 * len(text) <= limit:
        return False
    if encoding is Encoding.GSM_7:
        return len(text) + sum(character in gsm7.EXTENSION for character in text) > limit
    return len(text) + sum(character > "\uffff" for character in text) > limit


def too_long(limit: int, encoding: Encoding) -> str:
    """Say that a text is longer than that."""
    return f"a text has more than {limit} characters ({_COUNTS_TWICE[encoding]} counts as two)"


def check_dialect(
    dialect: Mapping[str, object], *, gateway: str, known: Mapping[str, frozenset[str] | None]
) -> dict[str, str]:
    """Read how a provider's API differs from the usual one.

    Args:
        dialect: as the settings file has it.
        gateway: its word in the settings.
        known: the names, each with the words that it may have; None: any word.

    Returns:
        The given names with their words in lower case where the words are listed.

    Raises:
        ConfigError: a name or a word is not known; those that are, are listed.
    """
    read = {}
    for name, value in dialect.items():
        if name not in known:
            names = ", ".join(sorted(known)) or "none"
            message = f"gateway {gateway}: dialect {name} is not known (known: {names})"
            raise ConfigError(message)
        words = known[name]
        word = str(value) if words is None else str(value).lower()
        if words is not None and word not in words:
            message = f"gateway {gateway}: dialect {name} must be one of {', '.join(sorted(words))}"
            raise ConfigError(message)
        read[name] = word
    return read
