"""The error tree, branched by what the caller must do, not by where it happened.

No message of an error carries a number, a text or a secret: messages reach logs.
"""


class BulksendError(Exception):
    """Root of all errors that Bulksend raises on purpose."""


class ConfigError(BulksendError):
    """The configuration or the call is wrong: say so and stop at start-up (exit code 2)."""


class LedgerError(BulksendError):
    """The ledger cannot be used, or a change of state was refused by it (exit code 2)."""


class BrokerError(BulksendError):
    """Redis cannot be reached or started: what is in the ledger stays there (exit code 2)."""


class InputError(BulksendError):
    """Something that a person handed in is wrong (exit code 1).

    Attributes:
        code: short stable word for programs, such as ``number_too_short``.
        line: line of the input file, 1 for its first line, when there is one.
        column: name of the column, when there is one.
    """

    def __init__(
        self, message: str, *, code: str, line: int | None = None, column: str | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.line = line
        self.column = column


class NotSent(BulksendError):
    """Provably nothing reached the gateway: safe to send again later.

    Attributes:
        retry_after_s: the pause that the gateway asked for, in seconds, when it did.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class TooLate(NotSent):
    """The mark cannot be acted upon any more: take it back and mark again; the gateway is not to blame."""


class LoginRefused(NotSent):
    """The gateway does not let the account in: nothing more leaves until that is mended."""


class OutcomeUnknown(BulksendError):
    """A byte was written and no readable answer came: the gateway may have acted. Never resend."""
