"""The work of reading a meter file as it is done today: pandas, one row after the other, one Point for each value.

Run by `bench/intake.py` with a Python that has pandas and influxdb-client. Prints seconds and peak memory as JSON. It
leaves out what a server would take: the points end as the text of a request.
"""

import json
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

import pandas as pd
from influxdb_client import Point, WritePrecision


def main() -> None:
    """Read the file that is named; write the lines nowhere."""
    path = Path(sys.argv[1])
    began = time.perf_counter()
    with path.open(encoding="utf-8") as file:
        serials = file.readline().strip().split("\t")
        labels = file.readline().strip().split("\t")
    table = pd.read_csv(path, sep="\t", skiprows=2, header=None)
    points = []
    for _, row in table.iterrows():
        moment = datetime.strptime(str(row[0]).strip(), "%d/%m/%y %H:%M:%S").replace(tzinfo=timezone.utc)  # noqa: UP017
        for column in range(1, len(serials)):
            name, unit = labels[column].rsplit(" ", 1)
            channel = f"M{serials[0]}_Ch{column}"
            point = Point("electrical").field(f"{channel}_{unit}", float(row[column]))
            point = point.time(int(moment.timestamp()), WritePrecision.S)
            for tag, value in (
                ("campaign", "campaign1"), ("channel_id", channel), ("channel_unit", unit),
                ("channel_label", f"Ch{column}"), ("channel_name", name), ("device", "MV2"), ("device_type", "master"),
                ("device_subtype", "tri"), ("device_master_sn", serials[0]), ("device_sn", serials[column]),
            ):
                point = point.tag(tag, value)
            points.append(point)
    body = "\n".join(point.to_line_protocol() for point in points).encode()
    took = time.perf_counter() - began
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = int(status.split("VmHWM:")[1].split()[0]) // 1024
    print(json.dumps({"seconds": took, "lines": len(points), "bytes": len(body), "peak_mb": peak}))


if __name__ == "__main__":
    main()
