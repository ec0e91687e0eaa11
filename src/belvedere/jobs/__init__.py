"""The queue: keys on PostgreSQL, worked off by runners.

It carries keys, never data, and is the only thing that points upward.
"""
