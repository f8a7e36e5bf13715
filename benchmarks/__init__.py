# SPDX-License-Identifier: Apache-2.0
"""The project's benchmarks: what waiting costs, beside providers of the same kind and a loop that does nothing else.

`make bench` runs them; `docs/performance.md` says what each row means.
"""
