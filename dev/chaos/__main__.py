"""``python -m dev.chaos``: random trials, which write what they counted into docs/reliability.md."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from dev.paths import ROOT
from dev.processes import airflow_environment

DOCUMENT = ROOT / "docs" / "reliability.md"


def main() -> None:
    """Run the trials and write the page."""
    parser = argparse.ArgumentParser(prog="python -m dev.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="how long to run trials")
    parser.add_argument("--tries", type=int, help="after how many trials to stop")
    parser.add_argument("--seed", type=int, default=1, help="repeats the choices, but not the timing")
    parser.add_argument("--output", type=Path, default=DOCUMENT, help="the page to write")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="reliability-") as text:
        folder = Path(text)
        os.environ |= airflow_environment(folder / "airflow") | {"AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"}
        # Airflow reads its home when it is imported.
        from dev.chaos.experiment import Experiment
        from dev.chaos.listings import simulate
        from dev.chaos.report import render
        from dev.chaos.year import simulate_year

        results = Experiment(folder, options.seed).run(options.minutes, options.tries)
        options.output.parent.mkdir(exist_ok=True)
        options.output.write_text(render(results, simulate(options.seed), [simulate_year(options.seed)]))
    print(f"Wrote {options.output}")


if __name__ == "__main__":
    main()
