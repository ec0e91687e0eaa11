"""`make bench`: every promise of speed, one after the other, each against what it replaces. Nothing else should run.

Each file prints its own figures and is run in a process of its own; this one only puts them in order and ends with 1
when one of them fails. `make bench ONLY=watch` runs one.
"""

import os
import subprocess
import sys
from pathlib import Path

ORDER = (
    "start", "provision", "watch", "hook", "preview", "gateway", "grafana", "grafana_chaos", "series", "intake",
    "night", "sftp", "influx",
)


def main() -> int:
    """Run the benchmarks that were asked for; return the exit code."""
    here = Path(__file__).parent
    asked = os.environ.get("ONLY", "").split() or list(ORDER)
    unknown = sorted(set(asked) - set(ORDER))
    if unknown:
        print(f"No benchmark named {', '.join(unknown)}. There are {', '.join(ORDER)}.", file=sys.stderr)
        return 2
    failed = []
    for name in asked:
        print(f"\n== {name} ==", flush=True)
        if subprocess.run([sys.executable, here / f"{name}.py"], check=False).returncode:
            failed.append(name)
    if failed:
        print(f"\nfailed: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
