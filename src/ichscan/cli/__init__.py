"""The command line: parses and calls; nothing else. `ichscan.cli.registry` lists the commands."""

from ichscan.cli.main import main

__all__ = ["main"]
