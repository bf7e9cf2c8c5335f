"""The libraries that an extra installs: whoever lacks one hears of it before any work begins."""

from __future__ import annotations

from importlib.util import find_spec

from airflow_batch_provider.exceptions import InvalidParameterError


def require_library(format_name: str, compression: str | None) -> None:
    """Check that the library is there which writes and reads a kind of file.

    :param format_name: a format of exports
    :param compression: its compression
    :raises InvalidParameterError: it is not; says what to install
    """
    if format_name == "parquet":
        _require("pyarrow", "parquet", "file_format='parquet'")
    elif compression == "zstd":
        _require("zstandard", "zstd", "compression='zstd'")


def _require(library: str, extra: str, value: str) -> None:
    if not find_spec(library):
        raise InvalidParameterError(
            f"{value} needs {library}; install it with: pip install 'airflow-batch-provider[{extra}]'"
        )
