"""Settings: ``bulksend.toml``, then environment ``BULKSEND_...``; one frozen object, read at the edge.

Only programs read settings; everything else gets values as arguments.
"""

from worker.settings.address import Address
from worker.settings.load import CONFIG_VARIABLE, load_settings
from worker.settings.rates import Rate, rate_text, rates_of, read_rates
from worker.settings.secret import read_secret
from worker.settings.shape import DEFAULT_FILE, Provider, Receipts, Retries, Settings, Timers

__all__ = [
    "CONFIG_VARIABLE",
    "DEFAULT_FILE",
    "Address",
    "Provider",
    "Rate",
    "Receipts",
    "Retries",
    "Settings",
    "Timers",
    "load_settings",
    "rate_text",
    "rates_of",
    "read_rates",
    "read_secret",
]
