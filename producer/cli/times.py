"""Times as a person reads them: on the clocks of a zone, with the offset from UTC."""

from __future__ import annotations

import time
from datetime import datetime

from worker.settings import Settings
from worker.settings.hours import RECIPIENT
from worker.timing.local import local_of
from worker.timing.zones import zones_of_region


def is_over(epoch_ms: int) -> bool:
    """Say whether a moment has come, by the clock of this machine."""
    return epoch_ms <= 1000 * time.time()


def local_words(epoch_ms: int, zone: str) -> str:
    """Write a moment for a person, as the clocks of a zone show it: ``2027-01-31 09:00 +01:00``."""
    local = local_of(epoch_ms, zone)
    return f"{local:%Y-%m-%d %H:%M} {local.isoformat()[-6:]}"


def time_words(epoch_ms: int, zone: str) -> str:
    """Write a moment for a person to the second: ``2027-01-31 09:00:00 +01:00``."""
    local = local_of(epoch_ms // 1000 * 1000, zone)
    return f"{local:%Y-%m-%d %H:%M:%S} {local.isoformat()[-6:]}"


def iso_words(at: str | None, zone: str) -> str | None:
    """Write for a person what JSON has as ISO 8601, to the second."""
    return None if at is None else time_words(epoch_ms_of(at), zone)


def epoch_ms_of(at: str) -> int:
    """Read what JSON has as ISO 8601."""
    return round(1000 * datetime.fromisoformat(at).timestamp())


def zone_shown(settings: Settings, *, provider: str | None = None, zone: str | None = None) -> str:
    """Return the zone in which a person reads times.

    That of a campaign, where it has one, of the settings, of the provider's country where that has only one;
    else UTC.
    """
    if zone is not None and zone != RECIPIENT:
        return zone.partition(",")[0]
    if settings.zone is not None:
        return settings.zone
    configured = settings.providers.get(provider or "")
    return zone_of_country(configured.country if configured else None)


def zone_of_country(country: str | None) -> str:
    """Return the zone of a country that has only one; else UTC."""
    zones = zones_of_region(country or "")
    return zones[0] if len(zones) == 1 else "UTC"
