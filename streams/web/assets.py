"""Files of the page: ours, and those of others in static/vendor with version, licence and hash."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

FOLDER = Path(__file__).parent / "static"
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class _Asset:
    content: bytes
    packed: bytes
    version: str
    media_type: str


@cache
def _assets() -> dict[str, _Asset]:
    """All files, read and compressed once."""
    found = {}
    for path in sorted(FOLDER.rglob("*")):
        if path.suffix in _TYPES:
            content = path.read_bytes()
            version = hashlib.sha256(content).hexdigest()[:12]
            packed = gzip.compress(content, 9, mtime=0)
            found[path.relative_to(FOLDER).as_posix()] = _Asset(content, packed, version, _TYPES[path.suffix])
    return found


def address(name: str) -> str:
    """Where a file is: an address that changes with its content, so that browsers may keep it."""
    return f"/static/{name}?v={_assets()[name].version}"


async def asset(request: Request) -> Response:
    """A file by name; nothing else of the folder can be named."""
    found = _assets().get(request.path_params["name"])
    if found is None:
        return PlainTextResponse("There is no such file.\n", 404)
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(
            found.packed, headers={**headers, "Content-Encoding": "gzip"}, media_type=found.media_type
        )
    return Response(found.content, headers=headers, media_type=found.media_type)
