"""From a recipient file to rows that can be sent and problems that can be understood."""

from producer.recipients.reader import Recipients, open_recipients
from producer.recipients.rows import Problem, Row, Seen
from worker.text.template import variable_name

__all__ = ["Problem", "Recipients", "Row", "Seen", "open_recipients", "variable_name"]
