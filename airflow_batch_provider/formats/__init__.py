"""The file formats of an export, each with its writing and its reading, and their compressions."""
