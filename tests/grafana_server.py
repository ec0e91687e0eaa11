"""The twin of Grafana behind a socket, for tests of whole programs."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2

from belvedere.workspaces.grafana.testing import TwinGrafana


class Server:
    """The twin behind a socket, so that it outlives the process that dies."""

    def __init__(self) -> None:
        twin = self.twin = TwinGrafana()
        server = self
        self.down = False

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Head and body in one packet: the second of two waits 40 ms for word that the first has arrived.
            wbufsize = -1

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = dict(self.headers.items())
                request = httpx2.Request(self.command, f"http://twin{self.path}", headers=headers, content=body)
                made = httpx2.Response(503) if server.down else twin.handle_request(request)
                self.send_response(made.status_code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(made.content)))
                self.end_headers()
                self.wfile.write(made.content)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()
        self.url = f"http://admin:admin@127.0.0.1:{self.http.server_port}"
        self.bare = f"http://127.0.0.1:{self.http.server_port}"

    def organisation(self, name: str) -> int:
        """Make an organisation as somebody else would, and return its number."""
        login = {"Authorization": "Basic YWRtaW46YWRtaW4="}
        made = httpx2.Request("POST", "http://twin/api/orgs", headers=login, json={"name": name})
        return int(self.twin.handle_request(made).json()["orgId"])

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()
