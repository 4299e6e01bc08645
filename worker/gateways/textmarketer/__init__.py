"""Text Marketer: its adapter, and what the adapter reads and writes."""
