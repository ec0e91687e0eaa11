"""An Ansible module: a company of Belvedere with its campaign and accounts, or its absence.

Asks Belvedere's REST API what is there, says what differs, and changes that alone. What is not here: how a place in
Grafana, a bucket or a dashboard is made; Belvedere does that by itself.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import open_url

DOCUMENTATION = r"""
module: belvedere_company
short_description: A company of Belvedere with its campaign, or its absence
options:
  url: {description: Address of the portal., type: str, required: true}
  token: {description: API token of an operator., type: str, required: true}
  company_name: {description: The tenant's name., type: str, required: true}
  campaign_name: {description: A campaign that is to be there., type: str}
  existing_account:
    description:
      - Address of an account that is to be a member.
      - The first member of a company is its owner, others are viewers.
    type: str
  tier: {description: Where a new company looks. Empty means the installation's usual one., type: str}
  state: {description: Whether it is to be there., choices: [present, absent], default: present}
  delete_user:
    description: Whether the company's default user in Grafana goes with it. Must be what the installation is set to.
    type: bool
    default: true
  keep_data: {description: Whether its databases and buckets stay., type: bool, default: true}
  wait_s: {description: How long to wait until it is ready or gone in seconds., type: int, default: 120}
  ca_path: {description: File of the authority that signed the portal's certificate., type: str}
"""

EXAMPLES = r"""
- belvedere_company:
    url: http://127.0.0.1:8050
    token: "{{ lookup('env', 'BELVEDERE_TOKEN') }}"
    company_name: acme
    campaign_name: campaign1
"""

RETURN = r"""
before: {description: What was there., type: dict, returned: always}
after: {description: What is there now., type: dict, returned: always}
dashboards: {description: Addresses of the company's dashboards., type: list, returned: when present}
"""

KEEP_USER = "BELVEDERE_GRAFANA_KEEP_USER"


class Problem(Exception):
    """What Belvedere said, or that it did not answer."""


class Portal:
    """Belvedere's REST API."""

    def __init__(self, module: AnsibleModule) -> None:
        """Take where it is and who asks."""
        self._base = module.params["url"].rstrip("/") + "/api/v1"
        self._token = module.params["token"]
        self._ca = module.params["ca_path"]
        self._wait_s = module.params["wait_s"]

    def ask(
        self, method: str, path: str, body: dict | None = None, *, absent: int = 0, wait: bool = False
    ) -> Any:  # noqa: ANN401  (whatever JSON holds)
        """Return an answer's body; None for a status that means absence."""
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if wait:
            headers["Prefer"] = f"wait={self._wait_s}"
        try:
            answer = open_url(
                self._base + path, method=method, headers=headers, ca_path=self._ca, timeout=self._wait_s + 10,
                data=None if body is None else json.dumps(body),
            )
            text = answer.read()
        except HTTPError as error:
            if error.code == absent:
                return None
            raise Problem(_said(error)) from error
        except (URLError, OSError) as error:
            message = f"Belvedere does not answer at {self._base}: {getattr(error, 'reason', error)}"
            raise Problem(message) from error
        return json.loads(text) if text else {}


def _said(error: HTTPError) -> str:
    """Return the problem's own sentence, and what to do."""
    try:
        problem = json.loads(error.read())
    except ValueError:
        return f"Belvedere answered {error.code}."
    return " ".join(str(problem[key]) for key in ("detail", "hint") if problem.get(key)) or str(problem)


def _seen(portal: Portal, params: dict) -> dict:
    """Return what is there, in the words of the module's options."""
    name = quote(params["company_name"], safe="")
    tenant = portal.ask("GET", f"/tenants/{name}", absent=404)
    if tenant is None or tenant["state"] == "deleting":
        return {"state": "absent"}
    seen = {"state": "present", "company_name": tenant["name"]}
    if params["campaign_name"]:
        query = urlencode({"user": params["company_name"], "text": params["campaign_name"], "limit": 200})
        found = portal.ask("GET", f"/campaigns?{query}")
        if any(one["name"] == params["campaign_name"] for one in found):
            seen["campaign_name"] = params["campaign_name"]
    if params["existing_account"]:
        account = quote(params["existing_account"], safe="")
        if portal.ask("GET", f"/tenants/{name}/members/{account}", absent=404) is not None:
            seen["existing_account"] = params["existing_account"]
    return seen


def _wanted(params: dict) -> dict:
    if params["state"] == "absent":
        return {"state": "absent"}
    named = {key: params[key] for key in ("company_name", "campaign_name", "existing_account") if params[key]}
    return {"state": "present", **named}


def _remove(portal: Portal, params: dict) -> None:
    name = quote(params["company_name"], safe="")
    kept = next((one["value"] for one in portal.ask("GET", "/settings") if one["name"] == KEEP_USER), "0") == "1"
    if kept is params["delete_user"]:
        message = (
            f"delete_user={str(params['delete_user']).lower()}, but the installation "
            f"{'keeps' if kept else 'deletes'} default users with their company. "
            f"Set {KEEP_USER}={int(not params['delete_user'])} there, or change delete_user."
        )
        raise Problem(message)
    query = urlencode({"confirm": params["company_name"], "keep_data": str(params["keep_data"]).lower()})
    portal.ask("DELETE", f"/tenants/{name}?{query}", absent=404, wait=True)


def _make(portal: Portal, params: dict, before: dict) -> None:
    name = quote(params["company_name"], safe="")
    if before["state"] == "absent":
        body = {"name": params["company_name"]}
        portal.ask("POST", "/tenants", body | ({"tier": params["tier"]} if params["tier"] else {}), wait=True)
    if params["campaign_name"] and "campaign_name" not in before:
        portal.ask("POST", "/campaigns", {"user": params["company_name"], "name": params["campaign_name"]})
    if params["existing_account"] and "existing_account" not in before:
        portal.ask("POST", f"/tenants/{name}/members", {"email": params["existing_account"]})


def run(module: AnsibleModule) -> dict:
    """Compare, and change what differs."""
    params = module.params
    portal = Portal(module)
    before, after = _seen(portal, params), _wanted(params)
    result = {"changed": before != after, "before": before, "after": after}
    result["diff"] = {"before": before, "after": after}
    if result["changed"] and not module.check_mode:
        if after["state"] == "absent":
            _remove(portal, params)
        else:
            _make(portal, params, before)
    if after["state"] == "present" and (before["state"] == "present" or not module.check_mode):
        listed = portal.ask("GET", f"/dashboards?{urlencode({'user': params['company_name'], 'limit': 200})}")
        result["dashboards"] = [one["url"] for one in listed]
    return result


def main() -> None:
    """Be the module."""
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "token": {"type": "str", "required": True, "no_log": True},
            "company_name": {"type": "str", "required": True},
            "campaign_name": {"type": "str"},
            "existing_account": {"type": "str"},
            "tier": {"type": "str"},
            "state": {"choices": ["present", "absent"], "default": "present"},
            "delete_user": {"type": "bool", "default": True},
            "keep_data": {"type": "bool", "default": True},
            "wait_s": {"type": "int", "default": 120},
            "ca_path": {"type": "str"},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module))
    except Problem as problem:
        module.fail_json(msg=str(problem))


if __name__ == "__main__":
    main()
