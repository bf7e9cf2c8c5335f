"""The command line: ``python -m airflow_batch_provider.sandbox``."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from airflow_batch_provider.sandbox.app import create_app
from airflow_batch_provider.sandbox.server import Server
from airflow_batch_provider.sandbox.settings import (
    DIRECTORY_NAMES,
    FILE_FAULTS,
    LAST_PAGE_FORMS,
    MAX_FILES,
    MAX_JOBS,
    REFUSE_CREATES,
    V1_RESULTS,
    Settings,
)

DEFAULT = Settings()
OPTIONS = (
    ("--host", str, "ADDRESS", "127.0.0.1", "address to listen on"),
    ("--port", int, "N", 8080, "port to listen on; 0 takes a free one"),
    ("--files-port", int, "N", 0, "port of the second origin, which serves signed URLs; 0 takes a free one"),
    ("--jobs", int, "N", DEFAULT.jobs, f"rows in each big listing of each vendor, 0 to {MAX_JOBS}"),
    ("--latency", float, "SECONDS", DEFAULT.latency, "delay of each API answer"),
    ("--seed", int, "N", DEFAULT.seed, "chooses keys, ids and which batches fail"),
    (
        *("--failure-rate", float, "P", DEFAULT.failure_rate),
        "share of API requests, 0 to 1, answered with a transient fault: Playment HTTP 400 with code FS_0000,"
        " LlamaCloud 503, TalkifAI 429 or 500",
    ),
    (
        *("--duration", float, "SECONDS", DEFAULT.duration),
        "time until the last batch is finished; some are finished from the start",
    ),
    ("--files", int, "N", DEFAULT.files, f"files of LlamaCloud's biggest batches, 0 to {MAX_FILES}"),
    ("--late", float, "SECONDS", DEFAULT.late, "time from the end of a batch until its late results exist; inf: never"),
    ("--large-bytes", int, "N", DEFAULT.large_bytes, "size of the few large files"),
    ("--url-seconds", int, "SECONDS", DEFAULT.url_seconds, "how long a signed URL is valid"),
    ("--url-uses", int, "N", DEFAULT.url_uses, "how often a signed URL can be used; 0: as often as you like"),
    ("--run-seconds", float, "SECONDS", DEFAULT.run_seconds, "how long a batch takes that was submitted"),
    (
        *("--lose-answers", float, "P", DEFAULT.lose_answers),
        "share of POST requests, 0 to 1, that take effect but whose answer is lost: the connection is closed, or HTTP"
        " 502 or 504",
    ),
    (
        *("--late-listing", float, "SECONDS", DEFAULT.late_listing),
        "time after which a new batch, directory or job is in its listing",
    ),
)
CHOICES = (
    (
        *("--last-page", LAST_PAGE_FORMS, DEFAULT.last_page),
        "next_page_token on a last page: key absent, null or an empty string",
    ),
    (
        *("--file-fault", FILE_FAULTS, DEFAULT.file_fault),
        "what goes wrong with files: the first answer is cut, Range is ignored, a page comes instead of the file,"
        " Content-Length is too large, or a redirect",
    ),
    ("--v1-results", V1_RESULTS, DEFAULT.v1_results, "which API has the results of batch processing (v1 beta) items"),
    (
        *("--refuse-creates", REFUSE_CREATES, DEFAULT.refuse_creates),
        "how new batches (and Playment's jobs) are refused: always, or one of three creates with 429",
    ),
    (
        *("--directory-names", DIRECTORY_NAMES, DEFAULT.directory_names),
        "whether LlamaCloud refuses a second directory of the same name",
    ),
)


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    described = argparse.ArgumentParser(
        prog="python -m airflow_batch_provider.sandbox",
        description="Serves the batch APIs of Playment, LlamaCloud and TalkifAI with made-up data, to try"
        " DAGs without an account. GET / shows the API keys and ids, GET /journal what was submitted. Prints one line"
        " once it listens; ends"
        " at SIGTERM or SIGINT.",
    )
    for name, kind, metavar, default, text in OPTIONS:
        help_text = f"{text} (default: %(default)s)"
        described.add_argument(name, type=kind, metavar=metavar, default=default, help=help_text)
    for name, choices, default, text in CHOICES:
        help_text = f"{text} (default: %(default)s)"
        described.add_argument(name, choices=choices, default=default, help=help_text)
    return described


def main(argv: Sequence[str] | None = None) -> None:
    """Run the sandbox until a signal ends it.

    :param argv: arguments of the command line; default those of the process.
    """
    described = parser()
    options = vars(described.parse_args(argv))
    host, port, files_port = options.pop("host"), options.pop("port"), options.pop("files_port")
    for name, number in (("port", port), ("files port", files_port)):
        if not 0 <= number <= 65535:
            described.error(f"{name} must be from 0 to 65535, not {number}")
    try:
        app = create_app(Settings(**options))
    except ValueError as wrong:
        described.error(str(wrong))
    # uvicorn stops at these signals and, when it has stopped, raises them again: the exit code is 0.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    try:
        server = Server(app, host, port, _tell, files_port)
    except OSError as error:
        sys.exit(
            f"cannot listen on {host} {error.__notes__[0]}: {error.strerror or error}; choose another by --port, or by"
            " make sandbox SANDBOX='--port 8899' in a clone"
        )
    server.run()


def _tell(url: str) -> None:
    print(f"sandbox listening on {url}", flush=True)  # noqa: T201 - a script that starts it waits for this line


def _end(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(0)


if __name__ == "__main__":
    main()
