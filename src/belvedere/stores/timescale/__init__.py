"""TimescaleDB, where a server has it: whether it is used, and how it is closed to tenants."""
