"""Delivery reports in the demonstration: the service that takes them in, and the wait for the last one."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Engine

from producer.demo import panel
from producer.demo.gateways import GATEWAYS
from worker.ledger import reports
from worker.ledger.deliveries import receipts_key
from worker.ledger.engine import open_ledger, reading
from worker.ledger.schema import prepare
from worker.receipts import address as address_of
from worker.receipts import pushing
from worker.roles import Supervisor
from worker.settings import load_settings
from worker.states import MessageState
from worker.station import receipts_role
from worker.waiting import within

_GRACE_S = 10.0
_REPORTED_S = 60.0
_LOOK_S = 0.2
_PATIENT = {"dlr_attempts": 20, "dlr_retry_ms": 500}  # the ledger of a demo is one file: it may be locked


def free_port() -> int:
    """Return a port of this machine on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def receiving(folder: Path, simulator: str, *, gateway: str) -> Iterator[str | None]:
    """Take delivery reports in for as long as the block lasts.

    Args:
        folder: of the demo, with its settings.
        simulator: its address.
        gateway: the word of the settings.

    Returns:
        Where the gateway reports to; None where it pushes nothing, and nothing is started.
    """
    settings = load_settings(folder / "bulksend.toml")
    names = pushing(settings)
    if not names:
        yield None
        return
    engine = open_ledger(settings.ledger)
    prepare(engine)
    with reading(engine) as connection:
        place = address_of(settings, key=receipts_key(connection), provider=names[0])
    engine.dispose()
    knob = GATEWAYS[gateway].panel
    panel.configure(simulator, gateway=gateway, knobs={**_PATIENT, **({knob: place} if knob else {})})
    role = replace(receipts_role(settings), log=folder / "receipts.log")
    with Supervisor([role], grace_s=_GRACE_S):
        yield place


def await_delivered(engine: Engine, n_messages: int) -> int:
    """Wait until so many messages of the demo's campaign are delivered, or for too long; return how many."""
    delivered = 0

    def is_told() -> bool:
        nonlocal delivered
        with reading(engine) as connection:
            delivered = reports.report(connection, 1).counts[MessageState.DELIVERED]
        return delivered >= n_messages

    within(_REPORTED_S, is_told, every_s=_LOOK_S)
    return delivered
