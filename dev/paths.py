"""Where the repository lies. Needs nothing but Python, as dev.cluster.settings runs before anything is installed."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
