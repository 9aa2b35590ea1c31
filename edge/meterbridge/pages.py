"""`meterbridge docs [TOPIC]`: the pages of docs/, read where there is no network."""

import difflib
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, help="The pages of docs/, offline.")


class NoSuchPage(Exception):
    """There is no page of that name; the message names the nearest."""


@app.command()
def docs(
    topic: Annotated[str | None, typer.Argument(help="A page; without one, the list.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Show a page, or the list of pages."""
    if topic is None:
        _show_list(as_json=as_json)
        return
    text = read_page(topic)
    if as_json:
        _show_json({"topic": topic, "text": text})
        return
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console()
    console.print(Markdown(text) if console.is_terminal else text, markup=False, highlight=False, soft_wrap=True)


def topics() -> dict[str, str]:
    """The pages by name (`decisions/0001-…` for those in folders), each with its first heading."""
    return {name: _heading(page.read_text("utf-8")) for name, page in sorted(_pages(_folder()).items())}


def read_page(topic: str) -> str:
    """The text of a page.  Raises NoSuchPage."""
    pages = _pages(_folder())
    if topic not in pages:
        near = difflib.get_close_matches(topic, pages, n=1, cutoff=0.4)
        advice = f"did you mean {near[0]!r}?" if near else "`meterbridge docs` lists them"
        raise NoSuchPage(f"no page {topic!r}; {advice}")
    return pages[topic].read_text("utf-8")


def _folder() -> Traversable:
    """Inside the wheel the pages are package data; in a source tree they are in docs/."""
    packaged = files("meterbridge") / "docs"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "docs"


def _pages(folder: Traversable, prefix: str = "") -> dict[str, Traversable]:
    found: dict[str, Traversable] = {}
    if not folder.is_dir():
        return found
    for entry in folder.iterdir():
        if entry.is_dir():
            found |= _pages(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".md"):
            found[prefix + entry.name.removesuffix(".md")] = entry
    return found


def _heading(text: str) -> str:
    return next((line.lstrip("# ") for line in text.splitlines() if line.startswith("#")), "")


def _show_list(*, as_json: bool) -> None:
    pages = topics()
    if as_json:
        _show_json(pages)
        return
    width = max((len(name) for name in pages), default=0) + 2
    for name, heading in pages.items():
        typer.echo(f"{name:<{width}}{heading}")


def _show_json(document: dict[str, str]) -> None:
    import json

    typer.echo(json.dumps(document))
