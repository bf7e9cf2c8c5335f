"""``python -m dev.chaos.counting``: serves the accounts until it is killed, and prints its URL first."""

from __future__ import annotations

from dev.chaos.counting.server import CountingServer


def main() -> None:
    """Serve."""
    with CountingServer() as server:
        print(f"http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever(0.05)


if __name__ == "__main__":
    main()
