"""Measures what the throttle keeps and uses, with real processes: ``make bench``."""
