"""Sending one leased batch: plan, mark, submit, record, until nothing of it may leave any more."""
