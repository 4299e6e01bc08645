"""CPSMS 1.04: its adapter, and what the adapter reads and writes."""
