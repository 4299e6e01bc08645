"""`bulksend campaign`, whole: with the order that sees campaigns off, as `send` does."""

from producer.cli.add import add
from producer.cli.campaign import campaign
from producer.cli.export import export

campaign.add_command(add)
campaign.add_command(export)

__all__ = ["campaign"]
