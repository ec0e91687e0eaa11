"""`belvedere member` on a home of the test's own and a real database."""

import json
import re

import pytest


def test_members_are_managed_from_the_host(belvedere) -> None:
    made = json.loads(belvedere("tenant", "create", "acme", "--member", "olga@example.org", "--wait", "0", "--json")[1])
    assert re.search(r"/invitations/[a-z2-7]{40}$", made["invitation"])
    code, _, said = belvedere("member", "list", "acme")
    assert (code, "Nobody yet" in said) == (0, True)
    [listed] = json.loads(belvedere("member", "list", "acme", "--invitations", "--json")[1])["items"]
    assert (listed["email"], listed["role"]) == ("olga@example.org", "owner")
    assert belvedere("member", "withdraw", "acme", listed["id"])[0] == 0
    code, out, _ = belvedere("member", "add", "acme", "alice@example.org")
    assert code == 0
    assert re.fullmatch(r"([a-z2-7]{5}-){3}[a-z2-7]{5}", out.strip()), "the password, and nothing else"
    code, out, _ = belvedere("member", "invite", "acme", "bob@example.org", "--role", "editor", "--expires", "2d")
    assert re.fullmatch(r"http://\S+/invitations/[a-z2-7]{40}", out.strip())
    belvedere("member", "add", "acme", "carol@example.org", "--role", "viewer", "--name", "Carol")
    assert json.loads(belvedere("member", "role", "acme", "carol@example.org", "admin", "--json")[1])["role"] == "admin"
    assert json.loads(belvedere("member", "suspend", "acme", "carol@example.org", "--json")[1])["active"] is False
    assert "suspended" in belvedere("members", "acme")[1]
    assert belvedere("member", "resume", "acme", "carol@example.org")[0] == 0
    assert belvedere("member", "remove", "acme", "carol@example.org")[0] == 0
    code, _, err = belvedere("member", "remove", "acme", "alice@example.org")
    assert code == 2
    assert "last owner" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add", "acme", "alice"], "no e-mail address"), (["invite", "acme", "--expires", "soon"], "no duration"),
        (["invite", "acme", "--expires", "52w"], "within 90 days"), (["withdraw", "acme", "x"], "no id"),
        (["role", "acme", "eve@example.org", "viewer"], "Nobody of that name"),
        (["add", "nobody", "a@b.example"], "No tenant"),
        (["add", "acme", "alice@example.org", "--role", "viewer"], "no owner yet"),
    ],
)  # fmt: skip
def test_what_does_not_do_says_so(belvedere, arguments: list[str], said: str) -> None:
    belvedere("tenant", "create", "acme", "--wait", "0")
    code, _, err = belvedere("member", *arguments)
    assert code == 2
    assert said in err
