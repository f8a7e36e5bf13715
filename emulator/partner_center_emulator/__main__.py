# SPDX-License-Identifier: Apache-2.0
"""The command ``partner-center-emulator``, also available as ``python -m partner_center_emulator``."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from partner_center_emulator import SCENARIOS, Emulator, ScaledClock, Settings
from partner_center_emulator.credentials import AUTH_TYPES


def main(arguments: list[str] | None = None) -> int:
    """Serve until a signal stops the process; return the exit code."""
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
        f"The emulator serves the Cloud Partner Portal API at {emulator.url}; its clock runs {options.speed:g} times as fast as "
        "real time."
    )
    print(f"Dashboard for your browser: {emulator.serve_dashboard()}")
    print(f"Certificate authority: {emulator.ca_file.resolve()}")
    print(f"It serves the same offers through the Product Ingestion API at {emulator.product_ingestion_url}.")
    print("Environment variables with the Airflow connections, for your shell (press Ctrl-C to stop the emulator):\n")
    print(emulator.environment(), flush=True)
    while not stop.wait(0.2):  # without a timeout, this misses signals that another thread receives
        pass
    emulator.stop()
    print("\nRequests served:")
    for route, count in sorted(emulator.counts.items()):
        print(f"  {route:<24} {count}")
    print(f"  {'total':<24} {emulator.counts.total()}", flush=True)
    return 0


def _options(arguments: list[str] | None, scenarios: dict[str, str], auth_types: tuple[str, ...]) -> argparse.Namespace:
    scenario_lines = "\n".join(f"  {name:<22} {text}" for name, text in scenarios.items())
    parser = argparse.ArgumentParser(
        prog="partner-center-emulator",
        description="Emulate the Cloud Partner Portal API, the Product Ingestion API, and Entra ID.",
        epilog=f"scenarios:\n{scenario_lines}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=8443, help="port, 0 for any free port (%(default)s)")
    parser.add_argument("--directory", type=Path, help="folder for ca.pem and emulator.env (a temporary folder)")
    parser.add_argument(
        "--auth",
        choices=auth_types,
        default=auth_types[0],
        help="authentication method of the printed connections (%(default)s)",
    )
    parser.add_argument(
        "--speed", type=float, default=20000.0, help="speed of the clock, 1 for real time (%(default)s)"
    )
    parser.add_argument("--offer", action="append", metavar="ID[=SCENARIO]", help="serve this offer; repeatable")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change a setting; repeatable")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
