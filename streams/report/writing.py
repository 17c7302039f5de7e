"""A pack as HTML, as Markdown and, where a Chromium is here, as PDF."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from streams.local.browser import run_browser
from streams.queries.shown import sentence, shown
from streams.queries.values import printable
from streams.report.pack import Pack
from warehouse.whole_file import whole_file

_TEMPLATES = Path(__file__).parent / "templates"
# What Markdown or the HTML in it would act on; an address or a mention would become a link.
_ACTIVE = re.compile(r"[\\`*_\[\]<>|~$&#]|(?<=:)//|(?<=www)\.|@")
_AGAIN = "baton report weekly --out FOLDER"
_DATES = re.compile(rb"(/(?:CreationDate|ModDate) \(D:)\d{14}")


def as_html(pack: Pack) -> str:
    """One file that needs nothing else: no script, no remote asset."""
    return _environment(is_html=True).get_template("pack.html").render(_values(pack))


def as_markdown(pack: Pack) -> str:
    """The same words and numbers, without the charts."""
    return _environment(is_html=False).get_template("pack.md").render(_values(pack))


def write_pack(pack: Pack, folder: Path) -> list[Path]:
    """Write all forms into a folder; the files written, which only their owner reads: a pack may hold what
    not everybody does. There is no PDF where there is no browser."""
    folder.mkdir(parents=True, exist_ok=True)
    base = folder / file_name(pack)
    html, markdown, pdf = (base.with_name(f"{base.name}.{end}") for end in ("html", "md", "pdf"))
    for file, text in ((html, as_html(pack)), (markdown, as_markdown(pack))):
        with whole_file(file, _AGAIN, mode=0o600) as partial:
            partial.write_text(text, encoding="utf-8", newline="\n")
    pdf.unlink(missing_ok=True)  # one of before would not be of these numbers
    with TemporaryDirectory(prefix="pdf-", dir=folder.resolve()) as beside:
        printed = Path(beside) / pdf.name
        run_browser(html.resolve().as_uri(), "--no-pdf-header-footer", f"--print-to-pdf={printed}")
        if not printed.exists():
            return [html, markdown]
        with whole_file(pdf, _AGAIN, mode=0o600) as partial:
            partial.write_bytes(_dated(printed.read_bytes(), pack.found.as_of))
    return [html, markdown, pdf]


def file_name(pack: Pack) -> str:
    """Without an ending: the instant, and for whom."""
    audience = f"-{pack.audience.id}" if pack.audience else ""
    return f"baton-weekly-{pack.found.as_of:%Y-%m-%dT%H%MZ}{audience}"


def escaped(text: object) -> str:
    """A text in Markdown, shown as it is: in one line, with nothing that it would act on. Markup stays."""
    if isinstance(text, Markup):
        return text
    return _ACTIVE.sub(lambda found: "".join(f"&#{ord(c)};" for c in found[0]), printable(str(text)))


def _dated(pdf: bytes, as_of: datetime) -> bytes:
    """Dated by the as-of instead of the moment of printing; of the same length, for a PDF counts bytes."""
    return _DATES.sub(rb"\g<1>" + f"{as_of:%Y%m%d%H%M%S}".encode(), pdf)


def _values(pack: Pack) -> dict[str, object]:
    found = pack.found
    last_day = found.until_on - timedelta(days=1)
    return {
        "pack": pack,
        "as_of": shown("instant", found.as_of, zone=found.zone),
        "exact": found.as_of.isoformat().replace("+00:00", "Z"),
        "window": f"{shown('day', found.from_on).text} to {shown('day', last_day).text}",
        "reader": sentence(pack.audience.id) if pack.audience else "everybody",
        "asks": pack.audience.asks if pack.audience else "",
    }


def _environment(is_html: bool) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=is_html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=None if is_html else escaped,
    )
    return environment
