"""Telling that a campaign is done: a command is run, a summary is posted; at least once, by one of many.

The signature is HMAC-SHA256 (RFC 2104) over the time, a dot and the body.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from sqlalchemy import Engine

from worker.errors import LedgerError, NotSent, OutcomeUnknown
from worker.gateways.base import HttpRequest
from worker.gateways.http import Client
from worker.ledger import notices
from worker.ledger.engine import reading, writing
from worker.ledger.notices import Notice
from worker.settings import CAMPAIGN_VARIABLE, Settings, read_secret

_log = logging.getLogger(__name__)
LOOK_S = 1.0
"""Between two looks at what is to be told."""

_OK = range(200, 300)


class _InVainError(Exception):
    """Nobody took a notice; the words say why, without a secret."""


@dataclass(frozen=True, kw_only=True)
class Herald:
    """Tells whom the settings name; a receiver that hangs holds up nothing but the next notice."""

    engine: Engine
    directory: Path  # in which the command runs
    command: tuple[str, ...] = ()
    webhook: str | None = None
    secret: str = ""
    command_s: float = 30.0
    webhook_s: float = 10.0

    @classmethod
    def of(cls, settings: Settings, *, engine: Engine) -> Self:
        """Make the one of an installation.

        Raises:
            ConfigError: the secret is missing.
        """
        notice = settings.notice
        secret = ""
        if notice.secret is not None:
            found = read_secret(notice.secret, key="notice.secret", directory=settings.directory)
            secret = found.get_secret_value()
        return cls(
            engine=engine,
            directory=settings.directory,
            command=tuple(shlex.split(notice.command or "")),
            webhook=notice.webhook,
            secret=secret,
        )

    def round(self) -> bool:
        """Tell of one campaign, if any is done of which nobody was told; say whether there was one.

        Raises:
            LedgerError: the ledger is away: what was told may be told again.
        """
        with reading(self.engine) as connection:
            campaign_id = notices.due(connection)
        if campaign_id is None:
            return False
        with writing(self.engine) as connection:
            notice = notices.claim(connection, campaign_id)
        if notice is None:
            return True
        with reading(self.engine) as connection:
            body = json.dumps(notices.summary(connection, campaign_id)).encode()
        facts: dict[str, object] = {"campaign_id": campaign_id, "attempt": notice.attempt}
        try:
            self._tell(notice, body)
        except _InVainError as error:
            _log.warning("notice in vain", extra={**facts, "reason": str(error)})
            with writing(self.engine) as connection:
                notices.note_vain(connection, notice, reason=str(error))
            return True
        with writing(self.engine) as connection:
            notices.note_told(connection, notice)
        _log.info("notice told", extra=facts)
        return True

    def _tell(self, notice: Notice, body: bytes) -> None:
        if self.command:
            self._run(body, campaign_id=notice.campaign_id)
        if self.webhook is not None:
            headers = signed(body, key=notice.key, secret=self.secret)
            _post(HttpRequest(method="POST", url=self.webhook, headers=headers, body=body), self.webhook_s)

    def _run(self, body: bytes, *, campaign_id: int) -> None:
        """Run the command in a session of its own: what it has started ends with it when it hangs."""
        try:
            process = subprocess.Popen(  # noqa: S603 - the administrator's words, and no shell reads them
                self.command,
                cwd=self.directory,
                env={**os.environ, CAMPAIGN_VARIABLE: str(campaign_id)},
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise _InVainError(f"the command cannot be run: {error.strerror}") from None
        with process:
            try:
                process.communicate(body, timeout=self.command_s)
            except subprocess.TimeoutExpired:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                raise _InVainError(f"the command took longer than {self.command_s:g} s") from None
        if process.returncode != 0:
            raise _InVainError(f"the command ended with {process.returncode}")


def signed(body: bytes, *, key: str, secret: str, now_s: int | None = None) -> Mapping[str, str]:
    """Return the headers of what is posted; the signature also covers when that was, in Unix seconds."""
    at = str(int(time.time()) if now_s is None else now_s)
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json",
        "Bulksend-Notice": key,
        "Bulksend-Timestamp": at,
        "Bulksend-Signature": f"v1={digest}",
    }


def _post(request: HttpRequest, timeout_s: float) -> None:
    client = Client(connections=1, timeout_s=timeout_s)
    try:
        reply = client.exchange(request)
    except (NotSent, OutcomeUnknown) as error:
        what = "cannot be reached" if isinstance(error, NotSent) else "gave no answer in time"
        raise _InVainError(f"the webhook {what}") from None
    finally:
        client.close()
    if reply.status not in _OK:
        raise _InVainError(f"the webhook answered {reply.status}")


def run_notices(herald: Herald, *, wait: Callable[[float], bool]) -> None:
    """Tell what is to be told until ``wait``, given the seconds between two looks, returns True."""
    while not wait(LOOK_S):
        try:
            while herald.round():
                pass
        except LedgerError as error:
            _log.warning("notices wait", extra={"reason": str(error)})
        except Exception as bug:  # noqa: BLE001 - its words may hold anything; the next campaign is to be told of
            _log.error("notice failed by a bug", extra={"error_class": type(bug).__name__})
