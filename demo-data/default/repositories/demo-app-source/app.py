import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CATALOG = ["lamp", "table", "chair", "shelf"]


def search(words):
    return [item for item in CATALOG if words in item]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = "ok" if self.path == "/healthz" else json.dumps(search(self.path.split("q=")[-1]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body.encode())


if __name__ == "__main__":
    ThreadingHTTPServer(("", int(os.environ.get("PORT", "8080"))), Handler).serve_forever()
