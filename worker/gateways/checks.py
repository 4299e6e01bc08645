"""What every adapter refuses before any I/O, by name and without repeating the value.

Limits come from the capabilities of the gateway; what a provider forbids beyond them, it says itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from worker.errors import ConfigError

if TYPE_CHECKING:
    from worker.gateways.base import Capabilities, Submission


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
        or _recipients_problem(submission.recipients, limit=capabilities.max_recipients)
    )
    if problem is None and submission.encoding not in capabilities.encodings:
        problem = f"encoding {submission.encoding} is not carried: write the text in other characters"
    if problem is not None:
        message = f"gateway {gateway}: {problem}"
        raise ConfigError(message)


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


def _recipients_problem(recipients: tuple[str, ...], *, limit: int) -> str | None:
    if not recipients:
        return "a request needs a recipient"
    if len(recipients) > limit:
        return f"more than {limit} recipients in one request: lower max_recipients"
    if len(set(recipients)) < len(recipients):
        return "a number stands twice in one request"
    return None
