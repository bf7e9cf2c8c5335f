"""``python -m dev.chaos``: random trials, and docs/reliability.md written from what they counted."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "reliability.md"


def main() -> None:
    """Run the campaign."""
    parser = argparse.ArgumentParser(prog="python -m dev.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="how long trials are made")
    parser.add_argument("--tries", type=int, help="after how many trials to end earlier")
    parser.add_argument("--seed", type=int, default=1, help="repeats the choices, though not the machine's moods")
    parser.add_argument("--output", type=Path, default=DOCUMENT, help="the page to write")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="reliability-") as text:
        folder = Path(text)
        os.environ |= {
            "AIRFLOW_HOME": f"{folder}/airflow",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
            "NO_PROXY": "127.0.0.1",
        }
        # Airflow reads its home when it is imported.
        from dev.chaos.campaign import Campaign
        from dev.chaos.listings import simulate
        from dev.chaos.report import render

        results = Campaign(folder, options.seed).run(options.minutes, options.tries)
        options.output.parent.mkdir(exist_ok=True)
        options.output.write_text(render(results, simulate(options.seed)))
    print(f"Wrote {options.output}")


if __name__ == "__main__":
    main()
