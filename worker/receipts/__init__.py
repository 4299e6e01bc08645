"""Delivery reports that gateways push: the addresses they call, the service behind them, and the reading."""

from worker.receipts.addresses import address, dlr_urls, pushing, reply_address

__all__ = ["address", "dlr_urls", "pushing", "reply_address"]
