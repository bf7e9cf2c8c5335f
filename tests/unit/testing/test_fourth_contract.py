"""The tests' fourth vendor passes the contract, as a vendor of another package does."""

from __future__ import annotations

from airflow_batch_provider.testing import vendor_contract
from tests.fourth_vendor.acme import VENDOR
from tests.unit.testing.declared import GIVEN, MODULES

TestAcme = vendor_contract(VENDOR, *MODULES, **GIVEN)
