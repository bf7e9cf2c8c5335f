"""What a task submits: rows and files, read from wherever they are."""
