"""The libraries that an extra of this package installs; a missing one is reported before any work begins."""

from __future__ import annotations

from importlib.util import find_spec

import msgspec

from airflow_batch_provider.exceptions import InvalidParameterError


class Library(msgspec.Struct, frozen=True):
    """A library that is not installed with the package.

    :param module: what is imported
    :param extra: the extra that installs it
    """

    module: str
    extra: str

    def require(self, value: str) -> None:
        """Check that the library is installed, without importing it.

        :param value: the parameter's value that needs it, for the message
        :raises InvalidParameterError: it is not installed; says how to install it
        """
        if not find_spec(self.module):
            raise InvalidParameterError(
                f"{value} needs {self.module}; install it with: pip install 'airflow-batch-provider[{self.extra}]'"
            )
