# SPDX-License-Identifier: Apache-2.0
"""The project's benchmarks: the cost of a wait, compared with providers of the same kind and with a bare loop.

`make bench` runs them; `docs/performance/index.md` explains each row.
"""
