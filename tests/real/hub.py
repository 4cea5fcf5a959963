"""A Hub of one model, as its clients see it: what it tells of files, and their bytes, from where a client wants them.

The first time it sends a long file, it hangs up half-way. Each request is a line of the log.
"""

import hashlib, pathlib, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

model, folder, log = sys.argv[1], pathlib.Path(sys.argv[2]), open(sys.argv[3], "a")
cut_off = set()


class Hub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, with_body):
        log.write(f"{self.command} {self.path} {self.headers.get('range')} {self.headers.get('authorization')}\n")
        log.flush()
        path = folder / self.path.removeprefix(f"/{model}/resolve/main/")
        if not path.is_file():
            self.send_response(404)
            self.send_header("content-length", "0")
            self.end_headers()
            return
        content = path.read_bytes()
        start = int((self.headers.get("range") or "bytes=0-")[6:-1])
        self.send_response(206 if start else 200)
        self.send_header("x-repo-commit", "c0ffee")
        self.send_header("etag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("content-length", str(len(content) - start))
        self.end_headers()
        if with_body and len(content) > 1_000_000 and path not in cut_off:
            cut_off.add(path)
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
        elif with_body:
            self.wfile.write(content[start:])

    def do_HEAD(self):
        self.answer(False)

    def do_GET(self):
        self.answer(True)


server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
print(server.server_port, flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
# Whoever started it holds this end: it ends with them.
sys.stdin.read()
