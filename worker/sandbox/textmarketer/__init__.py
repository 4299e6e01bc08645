"""Text Marketer, simulated after its document."""
