"""The exceptions of this package, one for each kind of reaction.

::

    BatchProviderError                base class, with vendor, endpoint, status, code
    ├── TransientError                the fault can pass: Airflow retries
    │   ├── RateLimitedError          ... the vendor asks for a pause of retry_after seconds
    │   ├── AmbiguousRequestError     ... a request that creates may or may not have taken effect
    │   ├── SubmissionUnclearError    ... the vendor does not list yet what was submitted
    │   ├── IncompleteListingError    ... the listing could not be read completely
    │   ├── BatchUnfinishedError      ... its results are not all there yet
    │   ├── ConnectionNotFoundError   ... Airflow finds no such connection; also an AirflowNotFoundException
    │   ├── ExpectationError          ... the export breaks a rule of expect, and was not published
    │   └── ExportReplacedError       ... another export replaced the one being read
    ├── BatchTimeoutError             a wait timed out; also an AirflowSensorTimeout
    └── FatalError                    a retry would fail again: Airflow does not retry
        ├── AuthenticationError       the key is wrong, or lacks access
        ├── PaymentRequiredError      the plan or the credits are used up
        ├── NotFoundError             no such project, batch or job
        ├── RequestRefusedError       the vendor refuses the request
        ├── UnexpectedResponseError   the answer is not what the vendor documents
        ├── InvalidParameterError     a parameter is not allowed; also a ValueError
        ├── ConnectionSettingsError   the Airflow connection is invalid; also a ValueError
        ├── SubmissionConflictError   the vendor has something else than the input
        ├── BatchExistsError          on_existing="fail", and there is a batch already
        ├── BatchFailedError          the batch failed
        ├── BatchCancelledError       the batch was cancelled
        ├── BatchItemsFailedError     the batch finished, but items failed
        ├── BatchStalledError         the batch has not changed for stalled_after
        ├── DestinationError          the destination cannot be used
        ├── EmptyExportError          if_empty="fail", and there are no rows
        ├── ExportExistsError         if_exists="error", and there is an export already
        └── ExportDamagedError        the export is damaged: export again
"""

from __future__ import annotations

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowNotFoundException,
    AirflowSensorTimeout,
)

from airflow_batch_provider.apis.shown import harmless

LONGEST_MESSAGE = 4000
"""Characters of an exception's message."""


class BatchProviderError(AirflowException):
    """The base class of all exceptions of this package. Its message is safe to log, store and send.

    :param message: what happened and how to fix it
    :param vendor: the name of the vendor, if a request was sent
    :param endpoint: the method and path of the request, without the query
    :param status: the HTTP status, if there was an answer
    :param code: the vendor's error code, if the answer had one
    """

    def __init__(
        self,
        message: str,
        *,
        vendor: str | None = None,
        endpoint: str | None = None,
        status: int | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(harmless(message, LONGEST_MESSAGE))
        self.vendor = vendor
        self.endpoint = endpoint
        self.status = status
        self.code = code


class TransientError(BatchProviderError):
    """The fault can pass. The client has retried already; Airflow retries the task."""


class RateLimitedError(TransientError):
    """The vendor limits the rate of requests.

    ``retry_after`` is the pause in seconds that it asked for, or None.
    """

    retry_after: float | None = None


class AmbiguousRequestError(TransientError):
    """The answer to a request that creates something was lost, so it may or may not have taken effect."""


class SubmissionUnclearError(TransientError):
    """The vendor does not list yet what was submitted; the next try looks it up first."""


class IncompleteListingError(TransientError):
    """A listing repeated a page, did not end, or had fewer rows than the vendor reports."""


class BatchUnfinishedError(TransientError):
    """The results were requested before the batch was finished."""


class ConnectionNotFoundError(TransientError, AirflowNotFoundException):
    """Airflow finds no connection of that id.

    It may be there later: Airflow reports the same if a secrets backend failed.
    """


class ExpectationError(TransientError):
    """An export breaks a rule of ``expect``, so it was not published.

    Airflow retries, since missing rows or results may exist later. Each try reads everything again.
    """


class ExportReplacedError(TransientError):
    """Another export replaced the one that was being read; read it again."""


class FatalError(BatchProviderError, AirflowFailException):
    """A retry would fail again, so the task fails immediately."""


class AuthenticationError(FatalError):
    """The API key is wrong, has expired, or has no access to the resource."""


class PaymentRequiredError(FatalError):
    """The account's plan or credits do not cover the request."""


class NotFoundError(FatalError):
    """The project, batch or job does not exist, or is hidden from this key."""


class RequestRefusedError(FatalError):
    """The vendor refuses the request."""


class UnexpectedResponseError(FatalError):
    """The answer is not what the vendor documents, or comes from another server.

    ``is_too_large`` is true if it has more bytes than are read.
    """

    is_too_large = False


class InvalidParameterError(FatalError, ValueError):
    """A parameter is missing, or has a value that is not allowed."""


class ConnectionSettingsError(FatalError, ValueError):
    """The Airflow connection is incomplete or invalid."""


class SubmissionConflictError(FatalError):
    """The vendor has a batch of this task that differs from the input."""


class BatchExistsError(FatalError):
    """The task has submitted a batch already, and ``on_existing`` is ``fail``."""


class BatchFailedError(FatalError):
    """The batch failed; the message has the vendor's reason."""


class BatchCancelledError(FatalError):
    """The batch was cancelled."""


class BatchItemsFailedError(FatalError):
    """The batch finished, but some of its items failed, and ``fail_on_item_failures`` is set."""


class BatchStalledError(FatalError):
    """Status, counters and time of change have not changed for ``stalled_after``."""


class BatchTimeoutError(BatchProviderError, AirflowSensorTimeout):
    """The batch was not finished within ``timeout``."""


class DestinationError(FatalError):
    """The destination of an export, or its connection, cannot be used."""


class EmptyExportError(FatalError):
    """There are no rows, and ``if_empty`` is ``fail``."""


class ExportExistsError(FatalError):
    """The destination has an export already, and ``if_exists`` is ``error``."""


class ExportDamagedError(FatalError):
    """The files at a destination differ from what was exported.

    ``findings`` lists every fault, even if the message is cut.
    """

    findings: tuple[str, ...] = ()
