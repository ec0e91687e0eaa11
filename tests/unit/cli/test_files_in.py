"""What the command line says to those who let others send files."""

import json
from pathlib import Path

import pytest

from belvedere.intake.sftp import hostkeys
from belvedere.intake.sftp.where import where
from belvedere.kernel.settings import Settings


def test_who_makes_an_sftp_user_is_told_where_to_go_with_it(belvedere, monkeypatch: pytest.MonkeyPatch) -> None:
    belvedere("tenant", "create", "acme", "--wait", "0")
    monkeypatch.setenv("BELVEDERE_SFTP_ADDRESS", "files.example.org:2022")
    code, out, _ = belvedere("sftp", "user", "add", "acme")
    assert code == 0
    assert "sftp -P 2022 acme@files.example.org" in out
    assert "when it starts first" in out
    home = Path("home").absolute()
    hostkeys.provide(home)
    (home / "lab.pub").write_text((home / "sftp" / "host_ed25519.pub").read_text())
    code, out, _ = belvedere("sftp", "user", "add", "acme", "--name", "acme-lab", "--key", str(home / "lab.pub"))
    assert f"sftp -P 2022 -i {home / 'lab'} acme-lab@files.example.org" in out
    assert hostkeys.fingerprint(hostkeys.public(home)[0]) in out
    assert "listens on 127.0.0.1 alone" in out
    monkeypatch.setenv("BELVEDERE_SFTP", "0")
    monkeypatch.setenv("BELVEDERE_SFTP_ADDRESS", "")
    made = json.loads(belvedere("sftp", "user", "add", "acme", "--name", "acme-two", "--json")[1])
    assert made["password"]
    assert "server" not in made


@pytest.mark.parametrize(("given", "host", "port"), [
    ("", "portal.example", 8022), ("files.example", "files.example", 8022), ("files.example:22", "files.example", 22),
    ("[fd00::1]:22", "fd00::1", 22), ("fd00::1", "fd00::1", 8022),
])
def test_where_senders_find_the_server(given: str, host: str, port: int) -> None:
    there = where(Settings(sftp_address=given, public_url="https://portal.example/belvedere"))
    assert (there.host, there.port) == (host, port)


def test_what_to_set_in_sftpgo_keeps_the_secret_to_one_address(belvedere) -> None:
    code, out, _ = belvedere("hook", "show")
    assert code == 0
    assert "SFTPGO_HTTP__HEADERS__0__URL=http://127.0.0.1:8050/hooks/sftpgo" in out
    shown = json.loads(belvedere("hook", "show", "--json")[1])
    assert shown["environment"]["SFTPGO_HTTP__HEADERS__0__KEY"] == shown["http"]["header"]
