"""The second journey: a folder and a file by OpenSSH's own client become a campaign, its dashboard and a message."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.journey.conftest import Installation, wait_for

pytestmark = pytest.mark.skipif(shutil.which("sftp") is None, reason="no OpenSSH client here")

SERIAL = "02001084"
ROWS = [
    f"05/01/26 {10 + n // 6:02}:{n % 6 * 10:02}:00\t{230 + n % 7 / 10:.2f}\t{120 + n * 3 % 50}.5" for n in range(60)
]
FILE = "\n".join([f"{SERIAL}\t{SERIAL}\t{SERIAL}", "MV_T302_V002\tPh 1 V\tVoie1 W", *ROWS, "05/01/26 20:00:00\t23"])


def test_a_file_becomes_a_campaign_a_dashboard_and_a_message(installation: Installation, tmp_path: Path) -> None:
    with installation.client(installation.token()) as api:
        made = api.post("/api/v1/users", json={"username": "acme"}, headers={"Prefer": "wait=60"})
        assert made.status_code == 201, made.text
        _send(installation, api, tmp_path)
        upload = wait_for(lambda: _parsed(api), 30, "the file is parsed")
        assert (upload["rows"], upload["skipped"], upload["points"]) == (60, 1, 120)
        assert upload["moved_to"] == f"campaign1/{SERIAL}/parsed/T302_260105.tsv"
        # The watch over the folder may have told of it a moment before the server.
        wait_for(lambda: (_parsed(api) or {})["via"] == "sftp", 10, "it is known to have come by SFTP")
        report = api.get(upload["url"]).json()["report"]
        assert report["channels"][f"M{SERIAL}_Ch1"]["nb_points"] == 60
        assert report["skipped_rows"] == [{"reason": "cut off", "total": 1, "first_lines": [63]}]
        _reported(installation, upload["id"])
        [campaign] = api.get("/api/v1/campaigns", params={"user": "acme"}).json()
        assert (campaign["name"], campaign["points"]) == ("campaign1", 120)
        [dashboard] = wait_for(lambda: _dashboards(api), 30, "the campaign has its dashboard")
        assert dashboard["table"] == "campaign1"
        wait_for(lambda: _told(api), 90, "the outbox names it")


def _send(installation: Installation, api: httpx2.Client, folder: Path) -> None:
    """Do by sftp what the user does."""
    key, file = folder / "key", folder / "T302_260105.tsv"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    answer = api.post("/api/v1/tenants/acme/sftp-users", json={"key": key.with_suffix(".pub").read_text()})
    assert answer.status_code == 201, answer.text
    file.write_text(FILE)
    options = {
        "Port": installation.sftp_port, "IdentityFile": key, "IdentitiesOnly": "yes", "BatchMode": "yes",
        "StrictHostKeyChecking": "accept-new", "UserKnownHostsFile": folder / "known",
    }  # fmt: skip
    given = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    done = subprocess.run(
        ["sftp", "-F", "none", *given, "-b", "-", "acme@127.0.0.1"],
        input=f"mkdir campaign1\nmkdir campaign1/{SERIAL}\nput {file} campaign1/{SERIAL}/\n",
        capture_output=True, text=True, check=False, timeout=30,
    )
    assert done.returncode == 0, done.stderr


def _parsed(api: httpx2.Client) -> dict[str, Any] | None:
    found = api.get("/api/v1/uploads", params={"user": "acme", "state": "parsed"}).json()
    return found[0] if found else None


def _reported(installation: Installation, upload: str) -> None:
    """Find the report that today's programs read."""
    reports = [json.loads(file.read_text()) for file in (installation.home / "reports").glob("tsv_parser_*.json")]
    [file] = [one for report in reports for one in report["files"] if one["upload_id"] == upload]
    assert (file["status"], file["bucket"], file["campaign"]) == ("success", "acme", "campaign1")


def _dashboards(api: httpx2.Client) -> list[dict[str, Any]]:
    return list(api.get("/api/v1/dashboards", params={"user": "acme"}).json())


def _told(api: httpx2.Client) -> bool:
    rows = api.get("/api/v1/deliveries", params={"user": "acme"}).json()
    return any("campaign1" in str(row) and row["state"] == "sent" for row in rows)
