"""The peer of `grafana.py`: a playbook of Ansible's community.grafana that makes what a tenant has."""

import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

TENANT = """
- community.grafana.grafana_organization: {name: "Tenant {{ t }}", url: "{{ url }}", url_username: "{{ user }}", \
url_password: "{{ password }}"}
  register: made
- community.grafana.grafana_user: {name: "{{ t }} Default", login: "user_{{ t }}", email: "{{ t }}@example.org", \
password: "a-long-password", url: "{{ url }}", url_username: "{{ user }}", url_password: "{{ password }}"}
- community.grafana.grafana_organization_user: {login: "user_{{ t }}", role: viewer, org_id: "{{ made.org.id }}", \
url: "{{ url }}", url_username: "{{ user }}", url_password: "{{ password }}"}
- community.grafana.grafana_datasource: {name: "{{ t }}-{{ item }}", uid: "{{ t }}-{{ item }}", ds_type: postgres, \
ds_url: "127.0.0.1:5432", database: "{{ t }}-{{ item }}", user: reader, \
additional_secure_json_data: {password: "a-long-password"}, sslmode: disable, org_id: "{{ made.org.id }}", \
url: "{{ url }}", url_username: "{{ user }}", url_password: "{{ password }}"}
  loop: [timing, qor, drc]
- community.grafana.grafana_folder: {title: "{{ t }}", org_id: "{{ made.org.id }}", url: "{{ url }}", \
url_username: "{{ user }}", url_password: "{{ password }}"}
- community.grafana.grafana_dashboard: {path: "{{ folder }}/{{ item }}.json", folder: "{{ t }}", overwrite: true, \
org_id: "{{ made.org.id }}", url: "{{ url }}", url_username: "{{ user }}", url_password: "{{ password }}"}
  loop: [0, 1, 2]
- ansible.builtin.uri: {url: "{{ url }}/api/serviceaccounts", method: POST, body_format: json, \
body: {name: capture, role: Viewer}, headers: {X-Grafana-Org-Id: "{{ made.org.id }}"}, force_basic_auth: true, \
url_username: "{{ user }}", url_password: "{{ password }}", status_code: [200, 201]}
  register: account
- ansible.builtin.uri: {url: "{{ url }}/api/serviceaccounts/{{ account.json.id }}/tokens", method: POST, \
body_format: json, body: {name: "token-{{ t }}", secondsToLive: 600}, \
headers: {X-Grafana-Org-Id: "{{ made.org.id }}"}, force_basic_auth: true, \
url_username: "{{ user }}", url_password: "{{ password }}", status_code: [200, 201]}
"""
PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.include_tasks: tenant.yml
      loop: "{{ tenants }}"
      loop_control: {loop_var: t}
"""


def playbook(folder: Path, url: str, document: Mapping[str, object]) -> Path:
    """Write the playbook, three dashboards and what it is told; return the file to run."""
    parts = urlsplit(url)
    bare = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    for number in range(3):
        board = {**document, "uid": f"peer{number}", "title": f"Board {number}"}
        (folder / f"{number}.json").write_text(json.dumps(board))
    (folder / "tenant.yml").write_text(TENANT)
    told = {
        "url": bare, "user": parts.username or "admin", "password": parts.password or "admin", "folder": str(folder)
    }
    (folder / "told.json").write_text(json.dumps(told))
    file = folder / "play.yml"
    file.write_text(PLAY)
    return file


def run_peer(program: str, book: Path, tenants: Sequence[str]) -> float:
    """Make tenants with Ansible; return the seconds."""
    environment = {
        **os.environ, "ANSIBLE_LOCALHOST_WARNING": "0", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_HOME": str(book.parent)
    }
    given = json.dumps({"tenants": list(tenants)})
    began = time.perf_counter()
    done = subprocess.run(
        [program, "-i", "localhost,", "-e", f"@{book.parent / 'told.json'}", "-e", given,
         "-e", f"ansible_python_interpreter={Path(program).parent / 'python'}", book],
        env=environment, capture_output=True, text=True, check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    return time.perf_counter() - began
