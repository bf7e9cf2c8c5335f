"""The command line: ``python -m dev.local up``, ``python -m dev.local down``."""

from __future__ import annotations

import argparse
from pathlib import Path

from dev.local.control import down, up
from dev.local.layout import Layout
from dev.local.supervisor import run
from dev.paths import ROOT


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m dev.local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    starting = commands.add_parser("up", help="start Airflow unless it runs, and print where it is")
    stopping = commands.add_parser("down", help="stop it")
    for command in (starting, stopping):
        command.add_argument("--folder", type=Path, default=ROOT / ".local", help="its files (default: .local)")
    starting.add_argument("--port", type=int, default=8080, help="of the UI (default: %(default)s)")
    serving = commands.add_parser("serve", help="run it in this process; up does so in another one")
    serving.add_argument("folder", type=Path)
    for number in ("lock", "airflow_port", "sandbox_port", "exports_port"):
        serving.add_argument(number, type=int)
    given = parser.parse_args()
    folder = given.folder.resolve()
    if given.command == "up":
        up(folder, given.port)
    elif given.command == "down":
        down(folder)
    else:
        run(Layout(folder, given.airflow_port, given.sandbox_port, given.exports_port), given.lock)


if __name__ == "__main__":
    main()
