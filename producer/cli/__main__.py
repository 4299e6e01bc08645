"""``python -m producer.cli`` is ``bulksend``."""

from producer.cli import main

main()
