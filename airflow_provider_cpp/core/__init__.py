# SPDX-License-Identifier: Apache-2.0
"""The rules that hold for every API of the marketplace, and what one has to offer. Standard library only, no I/O."""
