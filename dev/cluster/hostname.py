"""The host names of services, which are containers in docker-compose.yaml and share a machine here."""

from __future__ import annotations

import os


def hostname() -> str:
    """Return the name of this process's service, as a container's host name is."""
    return os.environ["HOSTNAME"]
