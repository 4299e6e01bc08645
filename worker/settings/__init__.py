"""Settings: ``bulksend.toml``, then environment ``BULKSEND_...``; one frozen object, read at the edge.

Only programs read settings; everything else gets values as arguments.
"""

from worker.settings.idle import idle_settings
from worker.settings.load import CONFIG_VARIABLE, load_settings
from worker.settings.secret import read_secret
from worker.settings.shape import DEFAULT_FILE, Provider, Rate, Receipts, Retries, Settings, Timers

__all__ = [
    "CONFIG_VARIABLE",
    "DEFAULT_FILE",
    "Provider",
    "Rate",
    "Receipts",
    "Retries",
    "Settings",
    "Timers",
    "idle_settings",
    "load_settings",
    "read_secret",
]
