"""Who is measured. Each module runs in an environment of its own and is told what to do as a task.

``export(task)`` does the work; everything it needs is imported with the module, which is not measured. ``ids(task)``
reads what was exported and gives the id of every row; that is not measured either.
"""
