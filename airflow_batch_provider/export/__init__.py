"""Pages -> parts -> a published export: complete, or not at all.

Knows no vendor. What lies where while an export runs, and after it, is told in :mod:`.staging` and :mod:`.manifest`.
"""
