"""gunicorn's settings for those who run it themselves: `gunicorn -c gunicorn_config.py wsgi:run_master`."""

import os

bind = f"{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT', '5000')}"
workers = int(os.environ.get("WEB_CONCURRENCY", "1"))
worker_class = "gthread"
threads = 8
timeout = 120
graceful_timeout = 20
keepalive = 5
max_requests = 0
accesslog = None
errorlog = "-"
