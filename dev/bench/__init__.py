"""Exports beside what users would pick instead, and beside the limit that a bare socket sets."""
