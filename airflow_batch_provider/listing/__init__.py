"""How pages become a complete stream of rows."""
