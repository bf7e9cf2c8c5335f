"""Operators: exports of the vendors' listings to object storage."""
