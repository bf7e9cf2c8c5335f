"""``python -m dev.cluster.settings``: writes .env from .env.example, with a random value for each that is empty there.

Needs nothing but Python, so that it runs before anything is installed.
"""

from __future__ import annotations

import base64
import os
from pathlib import Path

from dev.paths import ROOT

EXAMPLE = ROOT / ".env.example"


def settings() -> dict[str, str]:
    """Return the example's settings, with secrets of their own."""
    lines = [line for line in EXAMPLE.read_text().splitlines() if line and not line.startswith("#")]
    return {name: value or secret() for name, _, value in (line.partition("=") for line in lines)}


def secret() -> str:
    """Return a random text in the form of a Fernet key, which does for passwords too."""
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


def write(path: Path) -> None:
    """Write the settings into a new file that only its owner reads."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.writelines(f"{name}={value}\n" for name, value in settings().items())


if __name__ == "__main__":
    write(ROOT / ".env")
