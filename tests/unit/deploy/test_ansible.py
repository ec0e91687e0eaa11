"""The two playbooks of today, against the REST API as it is served."""

import importlib.util
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask import Flask
from werkzeug.serving import make_server

from belvedere.api.blueprint import blueprint
from belvedere.app import build
from belvedere.kernel.actor import SYSTEM, Role
from belvedere.kernel.settings import Settings

PLACE = Path(__file__).resolve().parents[3] / "deploy" / "ansible"
OPTIONS = {
    "company_name": "acme", "campaign_name": "camp1", "existing_account": None, "tier": "", "state": "present",
    "delete_user": True, "keep_data": True, "wait_s": 0, "ca_path": None,
}


@pytest.fixture
def portal(database, tmp_path):
    """Give the services, the address of their REST API, and an administrator's token for it."""
    services = build(Settings(home=str(tmp_path), database_url=database.url, pool_size=6))
    app = Flask(__name__)
    app.register_blueprint(blueprint(services))
    _, secret = services.tokens.create(SYSTEM, name="ansible", role=Role.ADMIN)
    token = secret.reveal()
    server = make_server("127.0.0.1", 0, app, threaded=True)
    serving = threading.Thread(target=server.serve_forever, args=[0.05])
    serving.start()
    yield services, f"http://127.0.0.1:{server.server_port}", token
    server.shutdown()
    serving.join()
    server.server_close()
    services.close()


@pytest.fixture(scope="module")
def module():
    """Load the module as Ansible does, by its path."""
    spec = importlib.util.spec_from_file_location("belvedere_company", PLACE / "library" / "belvedere_company.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def test_a_company_with_its_campaign_is_made_once_and_goes(portal, module):
    services, url, token = portal

    def run(*, check=False, **more: object):
        params = {**OPTIONS, "url": url, "token": token, **more}
        return module.run(SimpleNamespace(params=params, check_mode=check))

    planned = run(check=True)
    assert planned["changed"] and planned["diff"]["before"] == {"state": "absent"}
    assert services.tenants.serials() == []
    assert run()["changed"]
    again = run()
    assert not again["changed"] and again["dashboards"] == []
    assert [one.name for one in services.campaigns.list(SYSTEM).items] == ["camp1"]

    account = run(existing_account="bob@example.org")
    assert account["changed"] and not run(existing_account="bob@example.org")["changed"]
    serial, = services.tenants.serials()
    member, = services.members.list(SYSTEM, serial)
    assert member.role == "owner"

    gone = {"state": "absent", "campaign_name": None}
    with pytest.raises(module.Problem, match="BELVEDERE_GRAFANA_KEEP_USER=1"):
        run(**gone, delete_user=False)
    assert run(**gone, check=True)["changed"]
    assert run(**gone)["changed"] and not run(**gone)["changed"]
    assert services.tenants.find(serial).deleting


def test_what_belvedere_says_is_what_ansible_says(portal, module):
    _, url, token = portal
    params = {**OPTIONS, "url": url, "token": token, "company_name": "a/b"}
    with pytest.raises(module.Problem, match="name"):
        module.run(SimpleNamespace(params=params, check_mode=False))
    with pytest.raises(module.Problem, match="does not answer"):
        module.run(SimpleNamespace(params={**params, "url": "http://127.0.0.1:1"}, check_mode=False))


def test_the_playbook_runs_in_ansible(portal, tmp_path):
    services, url, token = portal
    done = subprocess.run(
        [
            Path(sys.executable).with_name("ansible-playbook"), "create_grafana_resources.yml", "--diff",
            "-e", "company_name=acme", "-e", "campaign_name=camp1", "-e", "wait_s=0",
        ],
        cwd=PLACE, capture_output=True, text=True, check=False, timeout=60,
        env={
            "PATH": os.environ["PATH"], "HOME": str(tmp_path), "BELVEDERE_URL": url, "BELVEDERE_TOKEN": token,
            "ANSIBLE_LOCAL_TEMP": str(tmp_path), "LC_ALL": "C.UTF-8", "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        },
    )
    assert "changed=1" in done.stdout and "failed=0" in done.stdout, done.stdout + done.stderr
    assert token not in done.stdout
    assert [one.name for one in services.campaigns.list(SYSTEM).items] == ["camp1"]
