"""Exports killed, stopped, starved and overtaken in real processes, on real stores; what becomes of them is counted."""
