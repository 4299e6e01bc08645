"""CPSMS 1.04, simulated after its document."""
