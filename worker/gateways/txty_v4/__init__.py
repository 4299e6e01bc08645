"""Txty v4: its adapter, and what the adapter reads and writes."""
