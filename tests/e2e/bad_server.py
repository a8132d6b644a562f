"""A server that gives an agent answers out of a file, one after the other: PORT ANSWERS LOG.

After the last there is no news, ever. LOG gets a line for each answer given, and each report.
"""

import base64
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PORT, ANSWERS, LOG = int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
NO_NEWS_AFTER_S = 1.0

left = json.loads(ANSWERS.read_text())


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if not left:
            time.sleep(NO_NEWS_AFTER_S)
            self.send_response(304)
            self.end_headers()
            return
        answer = left.pop(0)
        body = base64.b64decode(answer["body"])
        self.send_response(answer["status"])
        for name, value in answer["headers"].items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        note(answer["name"])

    def do_POST(self) -> None:
        report = self.rfile.read(int(self.headers["Content-Length"]))
        note(f"report {report.decode()}")
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
        """Nothing but what is noted is told."""


def note(line: str) -> None:
    with LOG.open("a") as log:
        log.write(f"{line}\n")


ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
