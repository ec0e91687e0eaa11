"""`python run.py` with SELFSERVICE_TYPE, as users of the operations dashboard start it: MASTER is `belvedere up`."""

import os
import sys

from belvedere.cli.main import main
from belvedere.cli.output import error_text, note

if __name__ == "__main__":
    kind = os.environ.get("SELFSERVICE_TYPE", "MASTER").upper()
    if kind != "MASTER":
        note(error_text(f"SELFSERVICE_TYPE={kind} cannot be started by this version", "It runs the master only.",
                        "SELFSERVICE_TYPE=MASTER python run.py"))
        sys.exit(2)
    main(["up", *sys.argv[1:]])
