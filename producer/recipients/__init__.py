"""From a recipient file to rows that can be sent and problems that can be understood."""

from producer.recipients.form import Form, Found
from producer.recipients.reader import Recipients, open_recipients
from producer.recipients.rows import Problem, Row
from producer.recipients.seen import Double, Seen
from worker.text.template import variable_name

__all__ = [
    "Double",
    "Form",
    "Found",
    "Problem",
    "Recipients",
    "Row",
    "Seen",
    "open_recipients",
    "variable_name",
]
