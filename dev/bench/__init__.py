"""Exports compared with what users would pick instead, with the libraries alone, and with bare sockets."""
