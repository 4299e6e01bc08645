"""From a cell to a subscriber number: cleaned, judged by numbering plans, and named what was repaired."""
