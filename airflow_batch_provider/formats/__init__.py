"""How rows become files, and files rows."""
