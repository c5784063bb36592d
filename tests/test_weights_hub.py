"""``dljax weights get`` and ``list``, against a server on this machine: no other socket is opened."""

import hashlib
import io
import json
import re
import socket
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from refusal import refused

from dljax import catalog
from dljax.runtime import download, hub

BYTES = np.random.default_rng(0).bytes(300_000)
SHA256 = hashlib.sha256(BYTES).hexdigest()


class Server(ThreadingHTTPServer):
    """A server of ``BYTES`` at /file; it notes the Range of each request.

    Attributes:
        cuts: bytes after which each of the next requests is cut off.
        ranges: whether it knows them.
        tag: the header X-Linked-ETag at /moved/file, which leads to /file.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.cuts: list[int] = []
        self.ranges, self.tag, self.asked = True, "", []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *words):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        server, path = self.server, urlsplit(self.path).path
        wanted = self.headers["Range"]
        if self.command == "GET":
            server.asked.append(wanted)
        if path.startswith("/status/"):
            return self.send_error(int(path.rpartition("/")[2]))
        if path != "/file":
            self.send_response(302)
            self.send_header("Location", f"{server.url}/file")
            if server.tag:
                self.send_header("X-Linked-ETag", f'"{server.tag}"')
            self.send_header("Content-Length", "0")
            return self.end_headers()
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted and server.ranges else 0
        if start >= len(BYTES):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(BYTES)}")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(BYTES) - 1}/{len(BYTES)}")
        self.send_header("Content-Length", str(len(BYTES) - start))
        self.end_headers()
        rest = BYTES[start:]
        if self.command == "GET":
            self.wfile.write(rest[: server.cuts.pop(0)] if server.cuts else rest)


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(download, "_PAUSE", 0.0)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)  # as where it is not installed
    with Server() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        table = f'[toy]\nurl = "{server.url}/file"\nsha256 = "{SHA256[:8]}"\nmodel = "lenet:5"\n'
        (tmp_path / "hub.toml").write_text(table)
        monkeypatch.setattr(hub, "_TABLE", tmp_path / "hub.toml")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def place(tmp_path) -> Path:
    """The toy's place in the cache."""
    return tmp_path / "cache" / "dljax" / "weights" / "file"


@pytest.fixture
def part(place) -> Path:
    place.parent.mkdir(parents=True)
    return place.with_name("file.part")


def test_a_file_is_fetched_once_and_its_path_printed(server, command, place):
    for _ in range(2):
        assert command("weights", "get", "toy") == (0, f"{place}\n", "")
    assert place.read_bytes() == BYTES and server.asked == [None]
    assert [path.name for path in place.parent.iterdir()] == ["file"]
    place.write_bytes(BYTES[:-1])  # damaged since
    assert command("weights", "get", "-q", "toy")[0] == 0 and place.read_bytes() == BYTES
    out = place.parent.parent / "there" / "other.bin"
    assert command("weights", "get", "toy", "--out", str(out)) == (0, f"{out}\n", "")
    assert out.read_bytes() == BYTES


def test_a_file_of_someone_else_is_left_alone(server, command, tmp_path):
    (tmp_path / "thesis.txt").write_text("thesis")
    for more in ([], ["--sha256", SHA256]):
        words = ("weights", "get", f"{server.url}/file", "--out", "thesis.txt", *more)
        status, out, err = command(*words)
        assert status == 2 and "thesis.txt is there already" in err and err.count("\n") == 1
    assert (tmp_path / "thesis.txt").read_text() == "thesis"


def test_addresses_that_differ_have_places_that_differ():
    given = (
        "https://h/q/f",
        "http://h/q/f",
        "https://h/q/f?id=1",
        "https://h/q/f?id=2",
        "https://h:1/q/f",
    )
    places = {hub.address(url).path for url in given}
    assert len(places) == len(given) and {path.name for path in places} == {"f"}


def test_a_chunk_is_written_whole_where_the_disk_takes_parts():
    class Slow(io.BytesIO):
        def write(self, data):
            return super().write(bytes(data[:7]))

    file = Slow()
    download._write(file, BYTES[:100])
    assert file.getvalue() == BYTES[:100]


def test_an_interrupted_transfer_goes_on(server, place):
    server.cuts = [1000, 250_000]
    assert hub.get("toy") == place and place.read_bytes() == BYTES
    assert server.asked == [None, "bytes=1000-", "bytes=251000-"]


def test_a_transfer_that_brings_nothing_more_ends_and_the_next_command_goes_on(server, place):
    server.cuts = [1000, 0]
    with refused("cut off after 1,000 bytes", "run the same command again, it goes on from there"):
        hub.get("toy")
    assert not place.exists()
    assert hub.get("toy").read_bytes() == BYTES
    assert server.asked == [None, "bytes=1000-", "bytes=1000-"]


@pytest.mark.parametrize(
    ("begun", "ranges", "asked"),
    [
        (BYTES[:700], True, ["bytes=700-"]),  # by a process that was killed
        (BYTES[:700], False, ["bytes=700-"]),
        (BYTES, True, ["bytes=300000-"]),  # killed before the renaming
        (b"another" * 100, True, ["bytes=700-", None]),
        (BYTES + b"more", True, ["bytes=300004-", None]),
    ],
    ids=["gone on", "no ranges", "whole", "of another file", "longer"],
)
def test_a_part_that_is_there(server, place, part, begun, ranges, asked):
    part.write_bytes(begun)
    server.ranges = ranges
    assert hub.get("toy").read_bytes() == BYTES
    assert server.asked == asked and not part.exists()


def test_a_part_without_a_digest_is_not_gone_on_with(server, command, tmp_path):
    (tmp_path / "out.part").write_bytes(b"another")
    status, out, err = command("weights", "get", f"{server.url}/file", "--out", "out")
    assert (status, out) == (0, "out\n") and f"it has sha256 {SHA256}" in err
    assert (tmp_path / "out").read_bytes() == BYTES and server.asked == [None]


def test_a_wrong_digest_is_refused_and_the_file_removed(server, command, tmp_path):
    words = ("weights", "get", f"{server.url}/file", "--out", "out", "--sha256")
    status, out, err = command(*words, "0" * 64)
    assert status == 2 and not out and err.count("\n") == 1
    assert f"sha256 {SHA256} of 300,000 bytes, expected {'0' * 64}; it was removed" in err
    assert not list(tmp_path.glob("out*"))
    assert command(*words, SHA256[:12].upper())[0] == 0


@pytest.mark.parametrize(
    ("status", "told"),
    [(404, "the file is not there"), (403, "not for everyone"), (503, "again later")],
)
def test_answers_that_are_no_file(server, tmp_path, status, told):
    with refused(f"/status/{status}: the server answers {status}", told):
        hub.get(f"{server.url}/status/{status}", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_without_a_network_it_says_what_to_do(server, command, place):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{probe.getsockname()[1]}/file"
    hub._TABLE.write_text(hub._TABLE.read_text().replace(f"{server.url}/file", closed))
    status, out, err = command("weights", "get", "toy")
    assert status == 2 and not out and err.count("\n") == 1
    assert f"(Connection refused): fetch {closed} where there is a network" in err
    assert f"put the file at {place}, and run the same command again" in err
    place.write_bytes(BYTES)
    assert command("weights", "get", "toy") == (0, f"{place}\n", "")


def test_redirects(server, tmp_path):
    (tmp_path / "out.part").write_bytes(BYTES[:700])
    hub.get(f"{server.url}/moved/file", tmp_path / "out", SHA256)
    assert (tmp_path / "out").read_bytes() == BYTES
    assert server.asked == ["bytes=700-", "bytes=700-"]
    request = urllib.request.Request("https://a.org/b")
    with refused("https://a.org/b leads to http://c.org/d, which is not https"):
        download._Redirects().redirect_request(request, None, 302, "", {}, "http://c.org/d")


def test_the_hubs_own_digest_is_checked(server, place):
    server.tag = SHA256
    path = hub.get("hf:owner/net/sub/model.safetensors@v1")
    assert path == place.parent / "hf" / "owner" / "net@v1" / "sub" / "model.safetensors"
    assert path.read_bytes() == BYTES
    assert hub.address("hf:owner/net/a.bin").url == f"{server.url}/owner/net/resolve/main/a.bin"
    server.tag = "0" * 64
    with refused("is not the file that was published", f"expected {'0' * 64}"):
        hub.get("hf:owner/net/model.safetensors")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_is_shown_on_a_terminal_alone(server, command, monkeypatch, place):
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert command("weights", "get", "toy")[:2] == (0, f"{place}\n")
    assert "toy" in sys.stderr.getvalue() and "300.0/300.0 kB" in sys.stderr.getvalue()
    place.unlink()
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert command("weights", "get", "toy", "-q")[:2] == (0, f"{place}\n")
    assert not sys.stderr.getvalue()


def test_two_processes_do_not_fetch_one_file(server, part):
    with download._part(part.with_name("file")), refused("another process is fetching"):
        hub.get("toy")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("toi",), "did you mean 'toy'?"),
        (("hf:owner/net",), "expected hf:OWNER/REPOSITORY/FILE"),
        (("hf:owner/net/../../x",), "'..' is no name of a file"),
        (("https://a.org/%2e%2e/x",), "'..' is no name of a file"),
        (("https://a.org/folder/",), "expected the address of a file"),
        (("toy", "--sha256", "12"), "'12' is no SHA-256"),
        (("toy", "--out", "."), "is a folder"),
    ],
)
def test_refusals(server, command, words, told):
    status, out, err = command("weights", "get", *words)
    assert status == 2 and not out and told in err and err.count("\n") == 1
    assert not server.asked
    assert command("weights", "gett")[0] == 2


def test_the_table():
    """Its rows are of models that are here; of hashes in files' names, and of addresses, each occurs once."""
    known = {f"{a.name}:{v}" for a in catalog.architectures() for v in a.variants}
    rows = hub.rows().values()
    for row in rows:
        assert row.model in known and row.url.startswith("https://"), row
        kind, digits = row.digest
        assert re.fullmatch(
            "[0-9a-f]{8}|[0-9a-f]{64}" if kind == "sha256" else "[0-9a-f]{32}", digits
        )
        assert kind == "md5" or f"-{digits[:8]}." in row.url, row
    assert len({row.path for row in rows}) == len({row.url for row in rows}) == len(rows) >= 30


def test_list(server, command, place):
    status, out, _ = command("weights", "list")
    assert status == 0 and re.search(r"^toy +lenet:5$", out, re.M)
    hub.get("toy")
    assert re.search(r"^toy +lenet:5 +here$", command("weights", "list")[1], re.M)
    (row,) = json.loads(command("weights", "list", "--json")[1])
    assert row["path"] == str(place) and row["sha256"] == SHA256[:8]
