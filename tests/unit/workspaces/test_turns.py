"""Turns at a Grafana: one call writes at a time, and who reads does not wait for it."""

import threading
from contextlib import suppress

from belvedere.workspaces.grafana import requests
from belvedere.workspaces.grafana.access import Access, Turns

WRITE, READ = requests.create_organisation("acme"), requests.health()
ASK = requests.ask_source("uid", "SELECT 1")


def test_one_call_writes_at_a_time_while_others_read_and_ask():
    turns = Turns(Access("http://grafana", workers=3, writers=1))
    comes, order = threading.Event(), []

    def write() -> None:
        comes.set()
        with turns.turn(WRITE):
            order.append("second writes")

    with turns.turn(WRITE):
        thread = threading.Thread(target=write)
        thread.start()
        comes.wait(5)
        with turns.turn(READ), turns.turn(ASK):
            order.append("others read and ask")
        order.append("first is done")
    thread.join(5)
    assert order == ["others read and ask", "first is done", "second writes"]


def test_a_turn_ends_with_an_error_too():
    turns = Turns(Access("http://grafana", workers=1, writers=1))
    for request in (WRITE, READ, WRITE):
        with suppress(ConnectionError), turns.turn(request):
            raise ConnectionError
    with turns.turn(WRITE):
        pass
