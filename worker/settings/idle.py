"""Settings that are read and checked, and have no effect yet: what to say of each one that is set."""

from __future__ import annotations

from collections.abc import Iterator

from worker.settings.shape import Settings


def idle_settings(settings: Settings) -> Iterator[str]:
    """Yield a sentence for each setting that somebody wrote and that changes nothing."""
    if "receipts" in settings.model_fields_set:
        yield "[receipts] has no effect yet: delivery reports are not taken in"
