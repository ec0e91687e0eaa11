"""One runner's work on one dashboard, in a process that a failpoint may end."""

import importlib.util
import sys
from pathlib import Path

from belvedere.kernel.db import Database
from belvedere.kernel.secret import Secret
from belvedere.previews.testing import PaintedCamera

url, folder, dashboard = sys.argv[1:]
spec = importlib.util.spec_from_file_location("rooms", Path(__file__).with_name("conftest.py"))
assert spec is not None
assert spec.loader is not None
rooms = importlib.util.module_from_spec(spec)
spec.loader.exec_module(rooms)

database = Database(Secret(url), size=4).open()
room = rooms.Room(database, Path(folder), PaintedCamera(), "http://127.0.0.1:9")
if dashboard == "remove":
    room.service.remove_tenant("1")
else:
    room.change(rooms.UUID(dashboard), age_s=60)
    room.service.capture(dashboard)
database.close()
