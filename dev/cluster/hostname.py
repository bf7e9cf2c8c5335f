"""How services tell each other apart that are containers in docker-compose.yaml, and here share a machine."""

from __future__ import annotations

import os


def hostname() -> str:
    """Return the name of this process's service, as a container's host name is."""
    return os.environ["HOSTNAME"]
