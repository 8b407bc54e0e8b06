"""Makes the cache of cached.test.ts: what huggingface_hub itself writes when it downloads a tiny model from a server on the loopback.

    python test/hub/python-cache/make.py

Writes cache/ (without its links, which a package cannot hold) and links.json (path: target). Made with huggingface_hub 1.33.0.
"""
import hashlib
import json
import os
import shutil
import struct
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE = Path(__file__).parent
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def weights() -> bytes:
    header = json.dumps({"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
    return struct.pack("<Q", len(header)) + header + struct.pack("<4f", 1, 2, 3, 4)


FILES = {"config.json": b'{"model_type": "gpt_neox"}', "tokenizer.json": b'{"model": {}}', "model.safetensors": weights()}


def git_sha1(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def entry(path: str, data: bytes) -> dict:
    item = {"type": "file", "path": path, "size": len(data), "oid": git_sha1(data)}
    if path.endswith(".safetensors"):
        item |= {"oid": git_sha1(b"pointer"), "lfs": {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}}
    return item


class Handler(BaseHTTPRequestHandler):
    def answer(self, body: bytes, headers: dict) -> None:
        self.send_response(200)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        name = path.rsplit("/", 1)[1]
        if "/tree/" in path:
            self.answer(json.dumps([entry(*item) for item in FILES.items()]).encode(), {"Content-Type": "application/json"})
        elif path.startswith("/api/"):
            info = {"_id": "1", "id": "lab/tiny", "sha": COMMIT, "siblings": [{"rfilename": one} for one in FILES]}
            self.answer(json.dumps(info).encode(), {"Content-Type": "application/json"})
        else:
            item = entry(name, FILES[name])
            self.answer(FILES[name], {"ETag": '"%s"' % item.get("lfs", item)["oid"], "X-Repo-Commit": COMMIT})

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ["HF_ENDPOINT"] = f"http://127.0.0.1:{server.server_address[1]}"

from huggingface_hub import snapshot_download  # noqa: E402  (it reads the variable when it is imported)

with tempfile.TemporaryDirectory() as folder:
    snapshot_download("lab/tiny", cache_dir=folder, token=False)
    links = {str(path.relative_to(folder)): os.readlink(path) for path in sorted(Path(folder).rglob("*")) if path.is_symlink()}
    for path in links:
        (Path(folder) / path).unlink()
    shutil.rmtree(HERE / "cache", ignore_errors=True)
    shutil.copytree(folder, HERE / "cache")
    (HERE / "links.json").write_text(json.dumps(links, indent=1) + "\n")
