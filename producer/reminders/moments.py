"""When one appointment is reminded of: pure, from its instant, the offsets, the windows and the zones."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, replace

from worker.timing.windows import Windows


class Skip(enum.StrEnum):
    """Why a reminder is left out."""

    PAST = "past"  # its moment is over
    NO_OPENING = "no_opening"  # no window opens between its moment and the appointment
    SAME_MOMENT = "same_moment"  # a window has moved it to where a later one is


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One reminder of an appointment: its times in epoch ms, or why it is left out.

    Attributes:
        before_ms: how long before the appointment it was to be.
        due_at: when it may leave at the earliest; 0 where it is left out, unless it is ``belated``.
        leave_by: the first instant at which it may not, at present: its window closes, or it has expired.
        expires_at: the first instant from which on it never leaves, the appointment at the latest.
        is_moved: a window has moved it.
        skip: why it is left out; None: it is not.
    """

    before_ms: int
    due_at: int = 0
    leave_by: int = 0
    expires_at: int = 0
    is_moved: bool = False
    skip: Skip | None = None

    @property
    def is_belated(self) -> bool:
        """Whether it is past, and the last of an appointment ahead: it may leave if one came to nothing."""
        return self.skip is Skip.PAST and self.due_at > 0


def moments_of(  # noqa: PLR0913 - what decides it
    appointment_ms: int,
    befores_ms: Iterable[int],
    *,
    zones: tuple[str, ...],
    windows: Windows,
    now_ms: int,
    validity_ms: int | None = None,
) -> list[Moment]:
    """Return a moment for each offset, the longest before first.

    Args:
        appointment_ms: epoch ms.
        befores_ms: how long before it, in ms; each counts once.
        zones: of the recipient; not needed without windows.
        windows: in which reminders may leave: one that is outside moves to the next opening.
        now_ms: epoch ms: what is due by then is over.
        validity_ms: how long a reminder is worth sending, from when it may leave.
    """
    found: dict[int, Moment] = {}
    for before_ms in sorted(set(befores_ms)):
        moment = _moment(appointment_ms, before_ms, zones=zones, windows=windows, now_ms=now_ms)
        if moment.skip is None and any(moment.due_at == other.due_at for other in found.values()):
            moment = Moment(before_ms=before_ms, skip=Skip.SAME_MOMENT)
        elif moment.skip is None and validity_ms is not None:
            moment = _shortened(moment, moment.due_at + validity_ms)
        found[before_ms] = moment
    if found and all(each.skip for each in found.values()):
        last = found[min(found)]
        found[last.before_ms] = _belated(
            last, appointment_ms, zones=zones, windows=windows, now_ms=now_ms, validity_ms=validity_ms
        )
    return [found[before_ms] for before_ms in sorted(found, reverse=True)]


def _moment(
    appointment_ms: int, before_ms: int, *, zones: tuple[str, ...], windows: Windows, now_ms: int
) -> Moment:
    if appointment_ms <= now_ms:
        return Moment(before_ms=before_ms, skip=Skip.PAST)
    moment = _leaving(appointment_ms, before_ms, appointment_ms - before_ms, zones=zones, windows=windows)
    is_past = moment.skip is None and moment.due_at <= now_ms
    return Moment(before_ms=before_ms, skip=Skip.PAST) if is_past else moment


def _leaving(
    appointment_ms: int, before_ms: int, at_ms: int, *, zones: tuple[str, ...], windows: Windows
) -> Moment:
    """Return the moment of a reminder that is to leave at an instant, or when a window opens after it."""
    opening = windows.opening(at_ms, zones)
    if opening is None or opening.opens_at >= appointment_ms:
        return Moment(before_ms=before_ms, skip=Skip.NO_OPENING)
    closes_at = appointment_ms if opening.closes_at is None else opening.closes_at
    return Moment(
        before_ms=before_ms,
        due_at=opening.opens_at,
        leave_by=min(closes_at, appointment_ms),
        expires_at=appointment_ms,
        is_moved=opening.opens_at != at_ms,
    )


def _belated(  # noqa: PLR0913 - as ``moments_of``
    moment: Moment,
    appointment_ms: int,
    *,
    zones: tuple[str, ...],
    windows: Windows,
    now_ms: int,
    validity_ms: int | None,
) -> Moment:
    """Give the last moment of an appointment, if it is over, the times with which it may leave yet."""
    if moment.skip is not Skip.PAST or appointment_ms <= now_ms:
        return moment
    before_ms = moment.before_ms
    first = _leaving(appointment_ms, before_ms, appointment_ms - before_ms, zones=zones, windows=windows)
    again = _leaving(appointment_ms, before_ms, now_ms, zones=zones, windows=windows)
    if validity_ms is not None:
        again = _shortened(again, first.due_at + validity_ms)
    is_over = again.skip is not None or again.due_at >= again.expires_at
    return moment if is_over else replace(again, skip=Skip.PAST)


def _shortened(moment: Moment, ends_at: int) -> Moment:
    expires_at = min(moment.expires_at, ends_at)
    return replace(moment, leave_by=min(moment.leave_by, expires_at), expires_at=expires_at)
