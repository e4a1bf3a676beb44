"""`labpilot identify PATTERN...`: which phases, how much, how sure."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.errors import InputError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from surrogate.xrd.identify import Identifier
    from surrogate.xrd.library import Library
    from surrogate.xrd.page import Page
    from surrogate.xrd.result import Identification

SHORTEST_ANGSTROM, LONGEST_ANGSTROM = 0.1, 5.0
MOST_REJECTED = 20
"""Files that are named where no phase is left."""


def command(
    patterns: Annotated[list[str], typer.Argument(help="Files, folders or globs; any format `labpilot read` knows.")],
    phases: Annotated[Path | None, typer.Option(help="A folder of CIF files: what could be there.")] = None,
    embedded: Annotated[bool, typer.Option("--embedded", help="Use the phases that labpilot carries.")] = False,
    chemistry: Annotated[str | None, typer.Option(help="Only phases of these elements, as in Li,Mn,O.")] = None,
    as_json: Annotated[Path | None, typer.Option("--json", help="Write a JSON list; - is stdout.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page with patterns, fits and tables.")] = None,
    html_limit: Annotated[int, typer.Option(min=0, help="Patterns that the page shows in full.")] = 50,
    wavelength: Annotated[
        float | None, typer.Option(help="In angstrom, instead of the file's: 1.5406 is copper.")
    ] = None,
    network: Annotated[
        Path | None, typer.Option(help="What `python -m surrogate.xrd.training` wrote: it proposes, evidence decides.")
    ] = None,
    max_phases: Annotated[int, typer.Option(min=1, help="Most phases in one pattern.")] = 5,
    workers: Annotated[int, typer.Option(min=1, help="Processes that share the work.")] = 1,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the summary only.")] = False,
) -> int:
    """Say which phases patterns hold, how much of each, how sure that is, and what cannot be told."""
    from orchestrator.cli.identifying import all_losses, library_losses
    from orchestrator.cli.outputs import refuse_foreign
    from orchestrator.cli.pattern_files import pattern_files
    from orchestrator.cli.results_file import refuse_unwritable

    refuse_foreign({"--json": as_json, "--html": html})
    refuse_unwritable(as_json)
    refuse_unwritable(html, option="--html", example="phases.html")
    _refuse_wavelength(wavelength)
    files = pattern_files(patterns, without=[file for file in (as_json, html) if file is not None])
    library = _library(phases, chemistry, embedded=embedded)
    identifier = _identifier(library, wavelength=wavelength, max_phases=max_phases, network=network)
    notes = [*library_losses(library), *_network_losses(identifier)]
    if files.left_out:
        notes.append(f"{len(files.left_out)} files of the folders are no patterns and were left out")
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    if all_losses(library):
        print(f"note: {_where_all_is_told(as_json, html)}", file=sys.stderr)
    run = _Run(paths=files.paths, library=library, as_json=as_json, html=html, html_limit=html_limit, is_quiet=quiet)
    about = f"Compared with {len(library.phases)} phases {_origin(phases, chemistry)}."
    return run.go(
        lambda: identifier.identify_files(files.paths, workers=workers, curves=html is not None),
        notices=notes,
        about=[about],
    )


def _library(phases: Path | None, chemistry: str | None, *, embedded: bool) -> Library:
    """Load the library that was asked for.

    Raises:
        InputError: None was named, two were, or nothing is in it.
    """
    from surrogate.xrd.library import embedded_library, load_library

    if phases is None and not embedded:
        raise InputError(
            "which phases could be there? --phases DIR names a folder of CIF files, --embedded uses those that "
            "labpilot carries; add --chemistry to keep only what your elements can form"
        )
    if phases is not None and embedded:
        raise InputError("--phases and --embedded exclude each other; copy the CIF files you miss into one folder")
    elements = None if chemistry is None else _elements(chemistry)
    if phases is None:
        library = embedded_library()
        library = library if elements is None else library.within(elements)
    elif not phases.is_dir():
        raise InputError(f"--phases {phases} is no folder; name one that holds CIF files")
    else:
        library = load_library(phases, chemistry=elements)
    if not library.phases:
        raise InputError(_emptiness(library, phases, elements))
    return library


def _emptiness(library: Library, phases: Path | None, elements: Sequence[str] | None) -> str:
    where = f"--phases {phases}" if phases is not None else "--embedded"
    broken = "".join(f"\n{one.file}: {one.reason}" for one in library.rejected[:MOST_REJECTED])
    if (more := len(library.rejected) - MOST_REJECTED) > 0:
        broken += f"\nand {more} more"
    if elements is not None:
        return f"{where} holds no phase of {', '.join(elements)} only; name every element that may be there{broken}"
    if not broken:
        return f"{where} holds no CIF file, and its folders hold none; files are needed whose names end in .cif"
    return f"{where} holds no phase that can be used; CIF files with a cell and atoms are needed{broken}"


def _where_all_is_told(as_json: Path | None, html: Path | None) -> str:
    files = [str(file) for file in (as_json, html) if file is not None and str(file) != "-"]
    if files:
        return f"all of them are named in {' and '.join(files)}"
    return f"{'the list on stdout' if as_json is not None else '--json FILE or --html FILE'} names all of them"


def _elements(chemistry: str) -> list[str]:
    """Return the symbols in 'Li,Mn,O'.

    Raises:
        InputError: One is no element.
    """
    import gemmi

    names = chemistry.replace(",", " ").replace("-", " ").split()
    problems = [problem for name in names if (problem := _no_element(name))]
    if problems or not names:
        told = "; ".join(problems) or "that is no element; write as in Li,Mn,O"
        raise InputError(f"--chemistry {chemistry!r}: {told}")
    found = [gemmi.Element(name).name for name in names]
    return list(dict.fromkeys("H" if name == "D" else name for name in found))


def _no_element(name: str) -> str:
    """Say what is wrong with the symbol of an element, and what to write; empty if nothing is."""
    if not _is_element(name):
        parts = re.findall("[A-Z][a-z]?", name)
        is_formula = "".join(parts) == re.sub("[^A-Za-z]", "", name) and all(map(_is_element, parts))
        advice = ",".join(dict.fromkeys(parts)) if parts and is_formula else ""
        return f"{name} is no element; write {f'its elements, {advice}' if advice else 'as in Li,Mn,O'}"
    if len(name) == 2 and name.isupper() and all(map(_is_element, name)):
        return f"{name} may be {name.title()} or {','.join(name)}; write the one that you mean"
    return ""


def _is_element(name: str) -> bool:
    """Say whether a whole name is a symbol; gemmi looks at its beginning only."""
    import gemmi

    element = gemmi.Element(name)
    return element.atomic_number > 0 and element.name.lower() == name.lower()


def _identifier(library: Library, *, wavelength: float | None, max_phases: int, network: Path | None) -> Identifier:
    """Make what identifies.

    Raises:
        InputError: The network cannot be read, or is of no use here.
    """
    from surrogate.xrd.identify import Identifier, Settings, default_tables
    from surrogate.xrd.network_file import WrongNetwork

    settings = Settings(max_phases=max_phases, wavelength_angstrom=wavelength, tables=default_tables(), network=network)
    try:
        return Identifier(library, settings=settings)
    except WrongNetwork as error:
        raise InputError(f"--network: {error}") from error


def _network_losses(identifier: Identifier) -> list[str]:
    proposer = identifier.proposer
    return [] if proposer is None or not proposer.note else [proposer.note]


def _origin(phases: Path | None, chemistry: str | None) -> str:
    where = f"of {phases}" if phases is not None else "that labpilot carries"
    return where if chemistry is None else f"{where}, made of {chemistry} only"


def _refuse_wavelength(wavelength: float | None) -> None:
    if wavelength is not None and not SHORTEST_ANGSTROM < wavelength < LONGEST_ANGSTROM:
        raise InputError(
            f"--wavelength {wavelength:g}: no X-ray wavelength in angstrom; copper's is 1.5406, molybdenum's 0.7093"
        )


class _Run:
    """One call of the command: results go to the terminal, the list and the page as they come."""

    def __init__(
        self,
        *,
        paths: Sequence[Path],
        library: Library,
        as_json: Path | None,
        html: Path | None,
        html_limit: int,
        is_quiet: bool,
    ) -> None:
        from surrogate.xrd.page import Page

        self._n = len(paths)
        self._library = library
        self._json, self._html = as_json, html
        self._page: Page | None = None if html is None else Page(limit=html_limit)
        self._is_quiet = is_quiet

    def go(
        self, identify: Callable[[], Iterator[Identification]], *, notices: Sequence[str], about: Sequence[str]
    ) -> int:
        """Take all results and return the exit code; what came before an interrupt is kept."""
        from orchestrator.cli.identifying import Teller, summary
        from orchestrator.cli.json_list import JsonList
        from orchestrator.cli.main import EXIT_INTERRUPTED, EXIT_REFUSED
        from orchestrator.cli.results_file import STDOUT

        is_interrupted = False
        teller = Teller(self._n, is_quiet=self._is_quiet or self._json == STDOUT)
        with JsonList(self._json) as listing:
            try:
                with teller:
                    self._take(identify(), listing, teller)
            except KeyboardInterrupt:
                is_interrupted = True
        broken_off = f"interrupted after {listing.n_items} of {self._n} patterns" if is_interrupted else ""
        self._write_page([broken_off, *notices] if is_interrupted else notices, about)
        out = sys.stderr if self._json == STDOUT else sys.stdout
        if self._n > 1 or self._is_quiet:
            print(summary(teller.counts), file=out)
        if is_interrupted:
            print(f"labpilot: {broken_off}{self._kept()}", file=sys.stderr)
            return EXIT_INTERRUPTED
        return EXIT_REFUSED if teller.counts["unusable"] else 0

    def _take(self, results: Iterator[Identification], listing: Any, teller: Any) -> None:
        from orchestrator.cli.identifying import library_dict

        try:
            for found in results:
                # told once: it may be long, and there may be thousands of patterns
                about = {} if listing.n_items else {"library": library_dict(self._library)}
                listing.add(found.as_dict() | about)
                if self._page is not None:
                    self._page.add(found)
                teller.tell(found)
        finally:
            # a generator that is left alone would stop its processes only when it is collected
            close = getattr(results, "close", None)
            if close is not None:
                close()

    def _kept(self) -> str:
        files = [str(file) for file in (self._json, self._html) if file is not None and str(file) != "-"]
        return f"; those are in {' and '.join(files)}" if files else ""

    def _write_page(self, notices: Sequence[str], about: Sequence[str]) -> None:
        if self._page is None or self._html is None:
            return
        from orchestrator.cli.identifying import all_losses

        partial = self._html.with_name(self._html.name + ".partial")
        try:
            # names of files may hold bytes that are no characters
            text = self._page.render(notices=notices, about=about, losses=all_losses(self._library))
            partial.write_text(text, encoding="utf-8", errors="backslashreplace")
            partial.replace(self._html)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise StorageError(
                f"--html {self._html} cannot be written ({error.strerror}); name another file"
            ) from error
