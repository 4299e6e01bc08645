"""Reminders of appointments: a file is read, compared with its series, and the series caught up with it."""
