"""Hostile input: pages bent and broken in every way, and what must become of them."""
