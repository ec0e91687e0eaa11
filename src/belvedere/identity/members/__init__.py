"""The people of tenants: their accounts, what they may do in each tenant, and how they are invited.

What is not here: operators (`identity/accounts.py`); signing in and sessions, which members share with operators.
"""
