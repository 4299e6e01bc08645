"""Settings that are read and checked, and have no effect yet: what to say of each one that is set."""

from __future__ import annotations

from collections.abc import Iterator

from worker.settings.shape import Settings

_WHY = {
    "rate": "is checked but not kept yet: Bulksend sends as fast as `connections` allows",
    "unit": "has no effect yet: it counts for `rate`, which is not kept",
}


def idle_settings(settings: Settings) -> Iterator[str]:
    """Yield a sentence for each setting that somebody wrote and that changes nothing."""
    for name, provider in settings.providers.items():
        for key in sorted(_WHY.keys() & provider.model_fields_set):
            yield f"providers.{name}.{key} {_WHY[key]}"
    if "receipts" in settings.model_fields_set:
        yield "[receipts] has no effect yet: delivery reports are not taken in"
