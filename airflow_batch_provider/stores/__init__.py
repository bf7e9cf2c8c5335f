"""Where an export goes: a local folder or an object store."""
