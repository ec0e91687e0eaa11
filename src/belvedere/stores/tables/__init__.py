"""Rows that came in files, written to tables in a tenant's own databases by the tenant's own writer.

What is not here: reading the files (`intake/reports/`).
"""
