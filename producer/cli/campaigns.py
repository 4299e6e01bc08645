"""`bulksend campaign`, whole: with the order that sees campaigns off, as `send` does."""

from producer.cli.add import add
from producer.cli.campaign import campaign

campaign.add_command(add)

__all__ = ["campaign"]
