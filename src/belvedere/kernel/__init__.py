"""What every room may use and no room owns: errors, settings, secrets, database, clock, logging.

Nothing here knows a tenant, a table or a vendor. Nothing here imports another room.
"""
