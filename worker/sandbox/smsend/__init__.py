"""The smSend family (Skebby and its sisters), simulated after its document."""
