"""Vendors that count what they were made to do: batches, jobs, files and calls, over faults.

Written from the vendors' documents alone, without a look at the package or at its sandbox. Each trial opens an account
of its own, which is a vendor with its own state, clock and faults behind its own API key.
"""
