"""The control database, step by step: SQL files that `kernel/migrate.py` applies in order."""
