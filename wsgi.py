"""The entry point for gunicorn, as users of the operations dashboard start it.

`gunicorn -c gunicorn_config.py wsgi:run_master`. Under WSGI there is no live stream; pages poll. The queue needs
`belvedere jobs` beside it.
"""

from belvedere.node.wsgi import run_master

__all__ = ["run_master"]
