"""Measured values on PostgreSQL: a database of each tenant's own, in which only Belvedere writes."""
