"""Txty v4, simulated after its document."""
