# SPDX-License-Identifier: Apache-2.0
"""The work of the tasks when they run; a DAG file imports none of it."""
