"""Settings: ``bulksend.toml``, then environment ``BULKSEND_...``; one frozen object, read at the edge.

Only programs read settings; everything else gets values as arguments.
"""

from worker.settings.address import Address
from worker.settings.campaigns import Campaigns, Notice, OptOuts, Send
from worker.settings.load import CAMPAIGN_VARIABLE, CONFIG_VARIABLE, load_settings
from worker.settings.rates import Rate, rate_text, rates_of, read_rates
from worker.settings.secret import read_secret
from worker.settings.shape import DEFAULT_FILE, Provider, Receipts, Retries, Settings, Timers

__all__ = [
    "CAMPAIGN_VARIABLE",
    "CONFIG_VARIABLE",
    "DEFAULT_FILE",
    "Address",
    "Campaigns",
    "Notice",
    "OptOuts",
    "Provider",
    "Rate",
    "Receipts",
    "Retries",
    "Send",
    "Settings",
    "Timers",
    "load_settings",
    "rate_text",
    "rates_of",
    "read_rates",
    "read_secret",
]
