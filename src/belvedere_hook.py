"""Hands an event of SFTPGo over to Belvedere: the command hook `belvedere-hook`.

SFTPGo starts it for each event with nothing but `SFTPGO_*` in the environment. It tells Belvedere by a local socket;
while nobody listens there, it keeps the event as a file beside the socket, which Belvedere takes up later. It ends with
0 when the event is in one of the two places, else with 1.

It imports nothing of Belvedere, and of Python only what is in memory by then: `socket` alone would double its start.
The folder of the socket is the first argument, or BELVEDERE_HOOK_DIR, or what `belvedere hook install` wrote below, or
the line `folder = ...` of /etc/belvedere/hook.conf.
"""

import _socket
import os
import sys
import time

FOLDER = ""
CONFIGURATION = "/etc/belvedere/hook.conf"
SOCKET = b"socket"
SPOOL = b"spool"
ANSWER_S = 5.0
MOST_KEPT = 100_000
MOST_VALUE = 8_192
NAMES = (
    b"SFTPGO_ACTION", b"SFTPGO_ACTION_USERNAME", b"SFTPGO_ACTION_PATH", b"SFTPGO_ACTION_TARGET",
    b"SFTPGO_ACTION_VIRTUAL_PATH", b"SFTPGO_ACTION_VIRTUAL_TARGET", b"SFTPGO_ACTION_STATUS",
    b"SFTPGO_ACTION_SESSION_ID", b"SFTPGO_ACTION_TIMESTAMP", b"SFTPGO_CONNECTION_USERNAME",
    b"SFTPGO_CONNECTION_PROTOCOL", b"SFTPGO_CONNECTION_IP", b"SFTPGO_CONNECTION_DURATION",
)  # fmt: skip


def main() -> int:
    """Hand over or keep; return how the program ends."""
    number = b"%020d-%d-%s" % (time.time_ns(), os.getpid(), os.urandom(6).hex().encode())
    event = told(number)
    try:
        os.chdir(folder())
        if not handed_over(event):
            kept(number, event)
    except OSError as error:
        sys.stderr.write(f"belvedere-hook: the event is lost: {error}\n")
        return 1
    return 0


def told(number: bytes) -> bytes:
    """Write the event as it goes over the socket and into the file: `NAME=VALUE`, each with a zero byte behind it."""
    found = [(name, os.environb[name]) for name in NAMES if name in os.environb]
    return b"".join(b"%s=%s\0" % (name, value[:MOST_VALUE]) for name, value in [(b"NUMBER", number), *found])


def folder() -> str:
    """Find the folder of the socket.

    Raises:
        OSError: nobody says where it is.
    """
    chosen = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("BELVEDERE_HOOK_DIR", "") or FOLDER
    if not chosen:
        with open(CONFIGURATION, encoding="utf-8") as file:  # noqa: PTH123  (pathlib costs more than all the rest)
            for line in file:
                name, _, value = line.partition("=")
                if name.strip() == "folder":
                    chosen = value.strip()
    if not chosen:
        message = f"{CONFIGURATION} names no folder"
        raise OSError(message)
    return chosen


def handed_over(event: bytes) -> bool:
    """Tell Belvedere, and say whether it has the event now. That it refuses one is an answer as well."""
    try:
        door = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        door.settimeout(ANSWER_S)
        door.connect(SOCKET)
        door.sendall(event)
        door.shutdown(_socket.SHUT_WR)
        answer = door.recv(64)
        door.close()
    except OSError:
        return False
    return answer in {b"kept\n", b"refused\n"}


def kept(number: bytes, event: bytes) -> None:
    """Keep the event as a file, whole or not at all.

    Raises:
        OSError: it cannot be kept.
    """
    if len(os.listdir(SPOOL)) >= MOST_KEPT:  # noqa: PTH208
        message = f"{MOST_KEPT} events are kept already"
        raise OSError(message)
    beside = SPOOL + b"/." + number
    written = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    try:
        os.fchmod(written, 0o640)  # Whatever the umask: Belvedere may read it by its group.
        os.write(written, event)
        os.fsync(written)
    finally:
        os.close(written)
    os.rename(beside, SPOOL + b"/" + number + b".event")  # noqa: PTH104
    place = os.open(SPOOL, os.O_RDONLY)
    os.fsync(place)
    os.close(place)


if __name__ == "__main__":
    sys.exit(main())
