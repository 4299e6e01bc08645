"""Txty v6, simulated after its document."""
