"""The smSend family (Skebby and its sisters): its adapter, and what the adapter reads and writes."""
