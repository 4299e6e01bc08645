"""From a row and a template to the parts of a message: pure functions and values."""
