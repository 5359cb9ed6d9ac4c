"""A stand-in for the datasets of the Hugging Face hub: the part of its API with which `datasets` finds their files."""

import json
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

from tests.stand_in_hub import COMMIT, Answer, Hub, hub

API = re.compile(
    r"/api/datasets/(?P<name>[^/]+/[^/]+)(?:/(?P<call>revision|tree|paths-info)/(?P<rest>[^?]+))?(?:\?.*)?"
)
FILE = re.compile(r"/datasets/(?P<name>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<file>[^?]+)")
CONVERTED_COMMIT = "fedcba9876543210fedcba9876543210fedcba98"
COMMITS = {"main": COMMIT, COMMIT: COMMIT, "refs/convert/parquet": CONVERTED_COMMIT, CONVERTED_COMMIT: CONVERTED_COMMIT}


class DatasetAnswer(Answer):
    """Serves `<owner>/<name>/<commit>/<file>` of the hub's folder."""

    def do_POST(self) -> None:  # noqa: N802
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        paths = [unquote(value) for value in re.findall(r"paths=([^&]*)", body)] or json.loads(body).get("paths", [])
        found = API.fullmatch(self.path)
        folder = self.folder_of(found["name"], found["rest"]) if found and found["rest"] else None
        if folder is None:
            return self.missing("RepoNotFound")
        return self.send_json([describe(folder, path) for path in paths if (folder / path).exists()])

    def answer(self, body: bool) -> None:
        self.server.requests.append(f"{self.command} {self.path} {self.headers.get('Range', '')}".strip())
        if found := API.fullmatch(self.path):
            return self.answer_api(found["name"], found["call"], found["rest"])
        found = FILE.fullmatch(self.path)
        folder = self.folder_of(found["name"], found["revision"]) if found else None
        if folder is None:
            return self.missing("RepoNotFound")
        path = folder / unquote(found["file"])
        if not path.is_file():
            return self.missing("EntryNotFound")
        return self.send_file(path.read_bytes(), folder.name, body)

    def answer_api(self, name: str, call: str | None, rest: str | None) -> None:
        revision = unquote(rest or "main")
        folder = self.folder_of(name, revision if call != "tree" else None, rest)
        if folder is None:
            return self.missing("RevisionNotFound" if (self.server.folder / name).is_dir() else "RepoNotFound")
        if call != "tree":
            return self.send_json({"id": name, "sha": folder.name, "private": False, "siblings": []})
        within = unquote(rest.partition("/")[2])
        below = sorted(folder.joinpath(within).rglob("*"))
        if not folder.joinpath(within).is_dir():
            return self.missing("EntryNotFound")
        return self.send_json([describe(folder, str(path.relative_to(folder))) for path in below])

    def folder_of(self, name: str, revision: str | None, rest: str | None = None) -> Path | None:
        """Return the folder of a revision's commit."""
        commit = COMMITS.get(unquote(revision if revision is not None else (rest or "").partition("/")[0]))
        folder = self.server.folder / name / (commit or "none")
        return folder if folder.is_dir() else None

    def send_file(self, content: bytes, commit: str, body: bool) -> None:
        span = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        last = len(content) - 1
        start, end = (int(span[1]), min(int(span[2] or last), last)) if span else (0, last)
        part = content[start : end + 1]
        self.send_response(206 if span else 200)
        if span:
            self.send_header("Content-Range", f"bytes {start}-{end}/{len(content)}")
        self.send_header("Content-Length", str(len(part)))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("X-Repo-Commit", commit)
        self.send_header("ETag", f'"{zlib.crc32(content)}"')
        self.end_headers()
        if body:
            self.wfile.write(part)

    def send_json(self, value: object) -> None:
        text = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def missing(self, code: str) -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()


def describe(folder: Path, path: str) -> dict[str, object]:
    """Return a file or folder as the hub's API does."""
    if (folder / path).is_dir():
        return {"type": "directory", "path": path, "oid": "0", "size": 0}
    size = (folder / path).stat().st_size
    return {"type": "file", "path": path, "oid": "1", "size": size}


@contextmanager
def datasets_hub(folder: Path) -> Iterator[Hub]:
    with hub(folder, DatasetAnswer) as server:
        yield server
