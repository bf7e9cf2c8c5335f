"""What the operators that cancel or start a batch share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_batch_provider.apis.batch_state import BatchKind
from airflow_batch_provider.apis.literals import Values
from airflow_batch_provider.apis.parameter import Identifier
from airflow_batch_provider.hooks.base import BatchApiHook
from airflow_batch_provider.hooks.checked_task import CheckedTask, domains_of
from airflow_batch_provider.hooks.template_fields import check_template_fields
from airflow_batch_provider.links.batch_page import BatchPageLink
from airflow_batch_provider.waiting import verdict

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_batch_provider.apis.batch_state import ShownState


class BatchActionOperator(CheckedTask):
    """Does something with a batch, and returns its id, status and counters after that.

    Subclasses set the kind of batch, the hook and the parameter with the id.
    """

    kind: ClassVar[BatchKind]
    id_field: ClassVar[str]
    hook_class: ClassVar[type[BatchApiHook]]
    template_fields: Sequence[str] = ()
    operator_extra_links = (BatchPageLink(),)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "id_field" in vars(cls):
            check_template_fields(cls, [cls.id_field, *cls.kind.scope, cls.hook_class.conn_name_attr])

    @classmethod
    def domains(cls) -> dict[str, Values]:
        """Return what parameters may be, by their names."""
        listing = cls.kind.listing
        return {**domains_of(listing.parameters, cls.kind.scope, listing.vendor), cls.id_field: Identifier()}

    @abstractmethod
    def act(self, hook: BatchApiHook, batch_id: str, scope: dict[str, str]) -> ShownState:
        """Act, and return the batch's state.

        :param hook: the hook of the connection
        :param batch_id: the id of the batch
        :param scope: the values of ``kind.scope`` that are given
        """

    def execute(self, context: Context) -> dict[str, Any]:
        """Do it."""
        self.check_parameters()
        hook = self.hook_class(getattr(self, self.hook_class.conn_name_attr))
        scope = hook.listing_scope(self.kind, {name: getattr(self, name) for name in self.kind.scope})
        return verdict.summary(self.act(hook, str(getattr(self, self.id_field)), scope))


class CancelBatchOperator(BatchActionOperator):
    """Cancels a batch. A batch that has ended stays as it is; that is not an error.

    Items that are finished keep their results.
    """

    def act(self, hook: BatchApiHook, batch_id: str, scope: dict[str, str]) -> ShownState:
        """Cancel the batch.

        :param hook: the hook of the connection
        :param batch_id: the id of the batch
        :param scope: the values of ``kind.scope`` that are given
        """
        from airflow_batch_provider.submitting.submit import cancel_batch

        return cancel_batch(hook.connect(), self.kind, batch_id, scope)
