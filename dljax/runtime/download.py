"""Files fetched by https: checked against a digest, and gone on with where a transfer was cut off.

A file is written beside its place, as ``NAME.part``, and renamed once it is whole and checked. A part that a
kill left behind is gone on with by a Range request (RFC 9110, section 14); as no server is asked
whether the file is still the same one, only a file with a digest is.
"""

import hashlib
import http.client
import os
import re
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from dljax.errors import UserError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_PATIENCE = 20.0  # seconds without a byte
_TRIES = 5  # resumptions within one call
_PAUSE = 1.0  # seconds before one
_CHUNK = 1 << 18
# (bytes so far, bytes in all or None where the server does not say)
Told = Callable[[int, int | None], None]


class Digest(NamedTuple):
    """A file's digest.

    Attributes:
        kind: "sha256" or "md5".
        digits: hexadecimal; the first ones where a publisher gives no more.
    """

    kind: str
    digits: str

    def fits(self, path: Path) -> bool:
        """True where the file at ``path`` has it."""
        return digits_of(path, self.kind).startswith(self.digits.lower())


class _Cut(Exception):
    """The end of a transfer before the end of the file."""


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Redirects as usual, but from https to https alone."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        if req.full_url.startswith("https:") and not newurl.startswith("https:"):
            raise UserError(
                f"{req.full_url} leads to {newurl:.200}, which is not https: not fetched"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _Stay(urllib.request.HTTPRedirectHandler):
    """A redirect raised as an HTTPError."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        return None


def digits_of(path: Path, kind: str = "sha256") -> str:
    """The hexadecimal digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()


def fetch(url: str, path: Path, digest: Digest | None, told: Told = lambda at, total: None) -> None:
    """Fetch a file, unless it is at ``path`` and has the digest.

    Args:
        digest: None where nobody gives one: then a file at ``path`` is taken as it is, and a part of it
            is not gone on with.
        told: called as bytes arrive.

    Raises:
        UserError: no network, an answer of the server that is no file, an interruption that lasts, another
            digest (the file is removed), or a disk that refuses.
    """
    if path.is_file() and (digest is None or digest.fits(path)):
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _part(path) as file:
            resumed = _whole(url, path, file, digest is not None, told)
            part = Path(file.name)
            if digest and not digest.fits(part) and resumed:  # the part was of another file
                file.truncate(0)
                _whole(url, path, file, True, told)
            if digest and not digest.fits(part):
                found, size = digits_of(part, digest.kind), part.stat().st_size
                part.unlink()
                raise UserError(
                    f"{url} is not the file that was published: {digest.kind} {found} of {size:,} bytes, "
                    f"expected {digest.digits}{'...' * (len(digest.digits) < len(found))}; it was "
                    "removed: fetch it again, and if that gives the same, do not use it"
                )
            part.replace(path)
    except OSError as error:
        raise UserError(
            f"{error.filename or path} cannot be written: {error.strerror or error}; once it can, the "
            "same command goes on"
        ) from None


@contextmanager
def _part(path: Path) -> Iterator[IO[bytes]]:
    """The part of a file, kept from other processes while it is open."""
    part = path.with_name(f"{path.name}.part")
    with part.open("ab", buffering=0) as file:
        busy = UserError(f"another process is fetching {path}: wait for its end")
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise busy from None
            except OSError:  # a file system without locks
                pass
            if not part.exists() or not os.path.samestat(part.stat(), os.fstat(file.fileno())):
                raise busy  # that process has just renamed it
        yield file


def _whole(url: str, path: Path, file: IO[bytes], resume: bool, told: Told) -> bool:
    """Fill a part to its end; True where some of it was there before, or came in another transfer."""
    if not resume:
        file.truncate(0)
    at = file.seek(0, 2)
    resumed = at > 0
    for left in reversed(range(_TRIES)):
        try:
            _receive(url, path, file, told)
            return resumed
        except _Cut as cut:
            before, at = at, file.seek(0, 2)
            if not resume or not left or at <= before:
                again = "it goes on from there" if resume else "it begins anew"
                raise UserError(
                    f"{url} was cut off after {at:,} bytes ({cut}): run the same command again, {again}"
                ) from None
            resumed = True
            time.sleep(_PAUSE)
    raise AssertionError


def _receive(url: str, path: Path, file: IO[bytes], told: Told) -> None:
    """Append to a part what it lacks.

    Raises:
        _Cut: the transfer ended early.
        UserError: there was none.
    """
    start = file.seek(0, 2)
    try:
        response = _opened(url, path, start)
    except HTTPError as error:
        if (
            error.code == 416 and start
        ):  # Range Not Satisfiable: all of it is here, or more than that
            if error.headers.get("Content-Range") == f"bytes */{start}":
                return
            file.truncate(0)
            return _receive(url, path, file, told)
        raise _refused(url, error) from None
    with response:
        length = response.headers.get("Content-Length", "")
        total = int(length) if length.isdecimal() else None
        if response.status == 206:
            got = re.fullmatch(
                r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "")
            )
            if not got or int(got[1]) != start:
                if not start:
                    raise UserError(
                        f"{url}: the server sends a part that was not asked for: not fetched"
                    )
                file.truncate(0)
                return _receive(url, path, file, told)
            total = int(got[2]) if got[2] != "*" else None
        else:  # a server that knows no ranges sends the whole of it
            file.truncate(0)
            start = 0
        at = start
        while chunk := _read(response):
            _write(file, chunk)
            at += len(chunk)
            told(at, total)
        if total is not None and at < total:  # as http.client says by no error
            raise _Cut(f"of {total:,}")


def _write(file: IO[bytes], chunk: bytes) -> None:
    """Append all of a chunk: a file without a buffer may take a part of it, as where the disk is full."""
    left = memoryview(chunk)
    while left:
        left = left[file.write(left) :]


def _read(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read(_CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise _Cut(_words(error)) from None


def _opened(url: str, path: Path, start: int) -> http.client.HTTPResponse:
    headers = {"User-Agent": "dljax", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    opener = urllib.request.build_opener(_Redirects)
    try:
        return opener.open(urllib.request.Request(url, headers=headers), timeout=_PATIENCE)
    except HTTPError:
        raise
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _unreachable(url, path, error) from None


def _unreachable(url: str, path: Path, error: Exception) -> UserError:
    return UserError(
        f"{urlsplit(url).hostname} cannot be reached ({_words(error)}): fetch {url} where there is a "
        f"network, put the file at {path.absolute()}, and run the same command again"
    )


def _words(error: Exception) -> str:
    reason = error.reason if isinstance(error, URLError) else error
    return str(getattr(reason, "strerror", None) or reason or type(error).__name__)[:200]


def _refused(url: str, error: HTTPError) -> UserError:
    what = " ".join(f"{url}: the server answers {error.code} {error.reason or ''}".split())
    if error.code in (401, 403):
        return UserError(
            f"{what}: the file is not for everyone; fetch it with an account, and name it"
        )
    if error.code in (404, 410):
        return UserError(f"{what}: the file is not there; look whether the address is right")
    return UserError(f"{what}: run the same command again later, it goes on from where it is")


def announced(url: str, path: Path, header: str) -> str:
    """A header of the server's first answer about a file, without following where it leads; "" where it
    has none.

    Args:
        path: where the file is wanted.

    Raises:
        UserError: the server cannot be reached.
    """
    request = urllib.request.Request(url, method="HEAD", headers={"User-Agent": "dljax"})
    try:
        with urllib.request.build_opener(_Stay).open(request, timeout=_PATIENCE) as response:
            return response.headers.get(header) or ""
    except HTTPError as error:
        return error.headers.get(header) or ""
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _unreachable(url, path, error) from None
