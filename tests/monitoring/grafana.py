#!/usr/bin/env python3
"""grafana: the part of Grafana's HTTP API that scripts/upload-dashboard uses, as its documentation says it.

usage: grafana.py PORT TOKEN FOLDER      dashboards that came are FOLDER/UID.json; ready when it prints a line
"""

import http.server
import json
import pathlib
import sys

PORT, TOKEN, FOLDER = int(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])


class Api(http.server.BaseHTTPRequestHandler):
    def answer(self, code, **said):
        body = json.dumps(said).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path != "/api/dashboards/db":
            return self.answer(404, message="Not found")
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.answer(401, message="Invalid API key")
        if self.headers.get("Content-Type") != "application/json":
            return self.answer(415, message="Unsupported Media Type")
        try:
            sent = json.loads(body)
            dashboard = sent["dashboard"]
            uid, title = dashboard["uid"], dashboard["title"]
        except (ValueError, KeyError, TypeError):
            return self.answer(400, message="bad request data")
        if dashboard["id"] is not None:
            return self.answer(404, message="Dashboard not found")
        path = FOLDER / (uid + ".json")
        if path.exists() and not sent.get("overwrite"):
            return self.answer(412, message="A dashboard with the same uid already exists")
        path.write_text(json.dumps(sent))
        return self.answer(200, status="success", uid=uid, url=f"/d/{uid}/{title.replace(' ', '-')}", version=1)

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", PORT), Api)
print("ready", flush=True)
server.serve_forever()
