"""One runner's work on one delivery, in a process that a failpoint may end."""

import sys
import tempfile
from pathlib import Path

from belvedere.audit.service import FileHistory
from belvedere.jobs.queue import JobQueue
from belvedere.kernel.db import Database
from belvedere.kernel.secret import Secret
from belvedere.notifications.service import Notifications
from belvedere.notifications.slack import slack
from belvedere.reactions import REACTIONS

url, pictures, address, token, key = sys.argv[1:]
database = Database(Secret(url), size=4).open()
credentials = {"SLACK_BOT_TOKEN": Secret(token), "SLACK_CHANNEL_ID": Secret("C0ALICE")}
with tempfile.TemporaryDirectory() as folder:
    Notifications(
        database=database, queue=JobQueue(database, REACTIONS), history=FileHistory(Path(folder)),
        pictures=Path(pictures),
        read_credential=lambda _, name: credentials.get(name), open_slack=slack(address), slack_token=Secret(""),
        slack_channel="",
    ).deliver(key)
database.close()
