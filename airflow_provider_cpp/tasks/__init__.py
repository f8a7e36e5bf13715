# SPDX-License-Identifier: Apache-2.0
"""What tasks do when they run; a DAG file imports none of it."""
