# SPDX-License-Identifier: Apache-2.0
"""The command ``partner-center-emulator``, which is also ``python -m partner_center_emulator``."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from partner_center_emulator import SCENARIOS, Emulator, ScaledClock, Settings
from partner_center_emulator.credentials import AUTH_TYPES


def main(arguments: list[str] | None = None) -> int:
    """Serve until a signal says to stop; returns the exit code."""
    options = _options(arguments, SCENARIOS, AUTH_TYPES)
    settings = Settings()
    try:
        for pair in options.set:
            name, _, text = pair.partition("=")
            settings = settings.with_text(name, text)
        emulator = Emulator(
            settings,
            ScaledClock(options.speed),
            host=options.host,
            port=options.port,
            directory=options.directory,
            auth=options.auth,
        )
        for pair in options.offer or ["contoso-vm", *(f"{scenario}={scenario}" for scenario in SCENARIOS)]:
            name, _, scenario = pair.partition("=")
            emulator.add_offer(name, scenario or "succeeds")
        emulator.start()
    except (ValueError, OSError) as error:
        print(f"the emulator cannot start: {error}", file=sys.stderr)
        return 2
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    print(
        f"The Cloud Partner Portal emulator serves at {emulator.url}, {options.speed:g} times as fast as the real one."
    )
    print(f"Its certificate authority: {emulator.ca_file.resolve()}")
    print(f"The Product Ingestion API serves the same offers at {emulator.ingestion_url}.")
    print("For a shell, with the Airflow connection (Ctrl-C stops the emulator):\n")
    print(emulator.environment(), flush=True)
    while not stop.wait(0.2):  # one wait without an end would not notice a signal that another thread took
        pass
    emulator.stop()
    print("\nRequests served:")
    for route, count in sorted(emulator.counts.items()):
        print(f"  {route:<24} {count}")
    print(f"  {'in all':<24} {emulator.counts.total()}", flush=True)
    return 0


def _options(arguments: list[str] | None, scenarios: dict[str, str], kinds: tuple[str, ...]) -> argparse.Namespace:
    listed = "\n".join(f"  {name:<22} {text}" for name, text in scenarios.items())
    parser = argparse.ArgumentParser(
        prog="partner-center-emulator",
        description="Serve a Cloud Partner Portal, and the Entra ID that signs in to it, on this machine.",
        epilog=f"scenarios:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=8443, help="the port, 0 for any (%(default)s)")
    parser.add_argument("--directory", type=Path, help="where to write ca.pem and emulator.env (a temporary folder)")
    parser.add_argument(
        "--auth", choices=kinds, default=kinds[0], help="how the connection signs in that is printed (%(default)s)"
    )
    parser.add_argument("--speed", type=float, default=20000.0, help="how many times faster than real (%(default)s)")
    parser.add_argument("--offer", action="append", metavar="ID[=SCENARIO]", help="an offer to serve; may be repeated")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting; may be repeated")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
