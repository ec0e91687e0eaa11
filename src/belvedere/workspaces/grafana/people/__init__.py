"""Tenants' members as users of a Grafana: made or recognised, put into the tenant's organisation, taken out again.

What is not here: the tenant's default user (`../accounts.py`), who is a member (`identity/members/`).
"""
