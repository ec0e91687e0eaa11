"""Tenants as teams of one organisation that they share: tier `team`, and the query gateway in front of their rows."""
