"""Waiting for batches: what a state means for a wait, and one poll for many waits."""
