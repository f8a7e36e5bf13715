# SPDX-License-Identifier: Apache-2.0
"""Sign-in to Microsoft Entra ID and to managed identities."""
