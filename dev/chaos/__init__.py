"""Exports killed, stopped, starved and overtaken in real processes on real stores, and counts of the outcomes."""
