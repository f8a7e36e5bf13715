# SPDX-License-Identifier: Apache-2.0
"""The Product Ingestion API, served from the same offers as the portal's: another view of the same market.

An offer is a product whose external id is the offer's id, and a publication is a submission. So what is published
through one API is seen through the other, and each stands in the other's way.
"""
