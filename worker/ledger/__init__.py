"""The ledger: all SQL. SQLModel tables, Core statements on them, SQLite or Postgres.

Callers own the transaction (``reading``, ``writing``); a function here is one business fact. Instants are
epoch milliseconds by the database's clock.
"""
