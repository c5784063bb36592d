"""Files of pretrained weights by name, fetched into the user's cache.

    weights.load(hub.get("resnet18"), resnet.entries(model))

The table of names is ``dljax/weights/hub.toml``. This is no part of ``dljax.weights``, so that a name is
looked up before jax is loaded.
"""

import hashlib
import os
import re
import tomllib
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

from dljax.errors import UserError, nearest
from dljax.folders import cache_folder
from dljax.runtime.download import Digest, Told, announced, fetch

_TABLE = Path(__file__).parents[1] / "weights" / "hub.toml"
_SHA256 = re.compile(r"[0-9a-fA-F]{8,64}")


class Row(NamedTuple):
    """A file that the table names.

    Attributes:
        name: in the table.
        url: as its publisher gives it.
        digest: likewise; perhaps the first digits alone.
        model: "name:variant", as in ``dljax list``.
        note: what tells it from others of the model, or what it needs.
    """

    name: str
    url: str
    digest: Digest
    model: str
    note: str = ""

    @property
    def path(self) -> Path:
        """Its place in the cache."""
        return folder() / self.url.rpartition("/")[2]


class Address(NamedTuple):
    """Source of a file, and its place here.

    Attributes:
        url: its address.
        path: its place in the cache.
        digest: None where its publisher gives none.
        repository: (repository, file, revision) of the Hugging Face Hub, for an address there.
    """

    url: str
    path: Path
    digest: Digest | None = None
    repository: tuple[str, str, str] | None = None


def folder() -> Path:
    """The folder of fetched files, in the user's cache."""
    return cache_folder() / "weights"


def rows() -> dict[str, Row]:
    """The table: name -> row."""
    table = tomllib.loads(_TABLE.read_text("utf-8"))
    found = {}
    for name, row in table.items():
        ((kind, digits),) = ((k, v) for k, v in row.items() if k in ("sha256", "md5"))
        found[name] = Row(name, row["url"], Digest(kind, digits), row["model"], row.get("note", ""))
    return found


def address(name: str) -> Address:
    """The address of a file.

    Args:
        name: in the table; or "hf:OWNER/REPOSITORY/FILE" with perhaps "@REVISION" behind it, of the
            Hugging Face Hub (``HF_ENDPOINT`` names another); or an address that begins with https://.

    Raises:
        UserError: ``name`` is none of them.
    """
    if name.startswith("hf:"):
        return _of_hub(name)
    if name.startswith(("https://", "http://")):
        wrong = UserError(f"{name}: expected the address of a file, https://HOST/.../FILE")
        try:
            there = urlsplit(name)
        except ValueError:
            raise wrong from None
        parts = [unquote(part) for part in there.path.split("/") if part]
        if not there.hostname or not parts or there.path.endswith("/") or re.search(r"\s", name):
            raise wrong
        if there.query or there.netloc != there.hostname or there.scheme != "https":
            # What else tells one file from another is part of its place too.
            parts.insert(-1, hashlib.sha256(name.encode()).hexdigest()[:12])
        return Address(name, _below(there.hostname, *parts))
    known = rows()
    if name not in known:
        raise UserError(
            f"no weights {name!r}: {nearest(name, known)}; or hf:OWNER/REPOSITORY/FILE, or https://..."
        )
    return Address(known[name].url, known[name].path, known[name].digest)


def _of_hub(name: str) -> Address:
    plain, _, revision = name.removeprefix("hf:").strip("/").partition("@")
    owner, *parts = plain.split("/")
    if len(parts) < 2 or not owner or not all(parts):
        raise UserError(
            f"{name}: expected hf:OWNER/REPOSITORY/FILE, such as "
            "hf:google/vit_base_patch16_224/model.safetensors"
        )
    repository, file, revision = f"{owner}/{parts[0]}", "/".join(parts[1:]), revision or "main"
    host = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    url = f"{host}/{repository}/resolve/{quote(revision, safe='')}/{quote(file)}"
    path = _below("hf", owner, f"{parts[0]}@{revision.replace('/', '-')}", *parts[1:])
    return Address(url, path, None, (repository, file, revision))


def _below(*parts: str) -> Path:
    for part in parts:
        if len(part.encode()) > 255:
            raise UserError(
                f"{part[:40]}...: a name of more than 255 bytes; name the file with --out"
            )
        if part in ("", ".", "..") or {"/", "\\", "\0"} & set(part):
            raise UserError(f"{'/'.join(parts)!r}: {part!r} is no name of a file or a folder")
    return folder().joinpath(*parts)


def get(
    name: str, out: Path | None = None, sha256: str = "", told: Told = lambda at, total: None
) -> Path:
    """The path of a file of weights, fetched unless it is there.

    A name's digest is the table's. Of an address on the Hugging Face Hub it is the SHA-256 that the hub
    gives of a large file, in the header ``X-Linked-ETag``; where huggingface_hub is installed, and neither
    ``out`` nor ``sha256`` is given, that fetches the file, into its own cache and by its own rules. Any
    other address has the digest ``sha256`` or none.

    Args:
        name: see ``address``.
        out: the file to write; by default in ``folder``.
        sha256: hexadecimal digits, 8 or more of the first.
        told: called with (bytes so far, bytes in all or None).

    Raises:
        UserError: as ``address`` and ``download.fetch`` do.
    """
    if sha256 and not _SHA256.fullmatch(sha256):
        raise UserError(f"{sha256!r} is no SHA-256: expected 8 to 64 hexadecimal digits")
    there = address(name)
    digest = Digest("sha256", sha256) if sha256 else there.digest
    path = out or there.path
    if there.repository and not out and not sha256 and not path.is_file():
        found = _by_huggingface_hub(name, there)
        if found:
            return found
    if path.is_dir():
        raise UserError(f"{path} is a folder: name a file")
    if out is not None and path.exists() and not (digest and digest.fits(path)):
        raise UserError(
            f"{path} is there already, and not known to be the file: remove it, or name another --out"
        )
    if there.repository and not path.is_file() and not sha256:
        tag = announced(there.url, path, "X-Linked-ETag").strip('"')
        digest = Digest("sha256", tag) if re.fullmatch("[0-9a-f]{64}", tag) else None
    fetch(there.url, path, digest, told)
    return path


def _by_huggingface_hub(name: str, there: Address) -> Path | None:
    """The file in huggingface_hub's cache; None where that library is not installed."""
    try:
        from huggingface_hub import hf_hub_download, try_to_load_from_cache
    except ImportError:
        return None
    assert there.repository
    repository, file, revision = there.repository
    kept = try_to_load_from_cache(repository, file, revision=revision)
    if isinstance(kept, str):
        return Path(kept)
    announced(there.url, there.path, "ETag")  # without a network it would try for half a minute
    try:
        return Path(hf_hub_download(repository, file, revision=revision))
    except Exception as error:  # its own, its http library's and the disk's
        words = " ".join(str(error).split())[:300] or type(error).__name__
        raise UserError(f"{name} was not fetched by huggingface_hub: {words}") from None
