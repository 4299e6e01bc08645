"""When the appointment of a row is: pure, from its column, the zones, and the changes of the clocks."""

from __future__ import annotations

import json
from dataclasses import dataclass

from producer.recipients import Row
from producer.schedule.column import TimeColumn
from producer.schedule.timing import ASK_ZONE, FARTHEST_MS, RECIPIENT, Timing, require_zones
from worker.errors import ConfigError, InputError
from worker.timing.local import instant_of
from worker.timing.words import Instant


@dataclass(frozen=True)
class Appointment:
    """An appointment.

    Attributes:
        at_ms: epoch ms.
        zones: of the recipient, as far as they matter.
        odd: what a change of the clocks did to its time, as a JSON array: as it is written, in which zone,
            what that is, and the epoch ms for which it is taken; None: nothing.
    """

    at_ms: int
    zones: tuple[str, ...]
    odd: str | None = None


def appointment_of(row: Row, timing: Timing, column: TimeColumn) -> Appointment:
    """Return when the appointment of a row is: no later than it can be meant, as no reminder comes after it.

    Raises:
        InputError: it cannot be told, or is years ahead.
        ConfigError: nobody said in which zone it is written.
    """
    when = column.when(row.values)
    is_wall = not isinstance(when, Instant)
    needs = timing.has_windows or (is_wall and timing.zone == RECIPIENT)
    zones = require_zones(row) if needs else ()
    odd = None
    if isinstance(when, Instant):
        at_ms = when.epoch_ms
    elif timing.zone is None:
        raise ConfigError(f"An appointment has no offset: {ASK_ZONE}")
    else:
        found = [(*instant_of(when.local, zone), zone) for zone in timing.clocks(zones)]
        at_ms, oddity, zone = min(found, key=lambda each: each[0])
        if oddity is not None:
            odd = json.dumps([when.local.isoformat(sep=" ", timespec="minutes"), zone, oddity, at_ms])
    if at_ms > timing.now_ms + FARTHEST_MS:
        raise InputError("its time is years ahead", code="time_too_far", column=column.header)
    return Appointment(at_ms, zones, odd)
