"""What `python -m http.server` runs, with a slow path: `hello`, after so many seconds at `/slow?SECONDS`.

    python slow_http_server.py PORT [HTTP/1.1]

The class, its defaults (HTTP/1.0) and the server are those of the standard library.
"""

import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Answers each GET."""

    def do_GET(self) -> None:
        """Answer one."""
        path, _, seconds = self.path.partition("?")
        if path == "/slow":
            time.sleep(float(seconds))
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")


if __name__ == "__main__":
    Handler.protocol_version = sys.argv[2] if len(sys.argv) > 2 else Handler.protocol_version
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
