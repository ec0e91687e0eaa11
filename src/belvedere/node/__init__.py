"""One machine's installation: its home, the embedded PostgreSQL, the control database, the parts and their supervisor.

Nothing here serves a request or works off a job; it starts and stops what does, and carries an installation to another
place (`backup.py`).
"""
