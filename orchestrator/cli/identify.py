"""`labpilot identify PATTERN...`: which phases, how much, how sure."""

from __future__ import annotations

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

SHORTEST_ANGSTROM, LONGEST_ANGSTROM = 0.05, 10.0


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
    max_phases: Annotated[int, typer.Option(min=1, help="Most phases in one pattern.")] = 5,
    workers: Annotated[int, typer.Option(min=1, help="Processes that share the work.")] = 1,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the summary only.")] = False,
) -> int:
    """Say which phases patterns hold, how much of each, how sure that is, and what cannot be told."""
    from orchestrator.cli.identifying import library_losses
    from orchestrator.cli.pattern_files import pattern_files
    from orchestrator.cli.results_file import refuse_unwritable

    refuse_unwritable(as_json)
    _refuse_unwritable_page(html)
    _refuse_wavelength(wavelength)
    files = pattern_files(patterns, without=[file for file in (as_json, html) if file is not None])
    library = _library(phases, chemistry, embedded=embedded)
    notes = library_losses(library)
    if files.left_out:
        notes.append(f"{len(files.left_out)} files of the folders are no patterns and were left out")
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    identifier = _identifier(library, wavelength=wavelength, max_phases=max_phases)
    run = _Run(paths=files.paths, as_json=as_json, html=html, html_limit=html_limit, is_quiet=quiet)
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
    broken = "".join(f"\n{one.file}: {one.reason}" for one in library.rejected[:5])
    if elements is not None:
        return f"{where} holds no phase of {', '.join(elements)} only; name every element that may be there{broken}"
    return f"{where} holds no phase that can be used; CIF files with atoms are needed{broken}"


def _elements(chemistry: str) -> list[str]:
    """Return the symbols in 'Li,Mn,O'.

    Raises:
        InputError: One is no element.
    """
    import gemmi

    names = chemistry.replace(",", " ").replace("-", " ").split()
    found = [gemmi.Element(name) for name in names]
    wrong = [name for name, element in zip(names, found, strict=True) if not element.atomic_number]
    if wrong or not names:
        raise InputError(f"--chemistry {chemistry!r}: {', '.join(wrong) or 'that'} is no element; write as in Li,Mn,O")
    return list(dict.fromkeys("H" if element.name == "D" else element.name for element in found))


def _identifier(library: Library, *, wavelength: float | None, max_phases: int) -> Identifier:
    from surrogate.xrd.identify import Identifier, Settings, default_tables

    settings = Settings(max_phases=max_phases, wavelength_angstrom=wavelength, tables=default_tables())
    return Identifier(library, settings=settings)


def _origin(phases: Path | None, chemistry: str | None) -> str:
    where = f"of {phases}" if phases is not None else "that labpilot carries"
    return where if chemistry is None else f"{where}, made of {chemistry} only"


def _refuse_wavelength(wavelength: float | None) -> None:
    if wavelength is not None and not SHORTEST_ANGSTROM <= wavelength <= LONGEST_ANGSTROM:
        raise InputError(
            f"--wavelength {wavelength:g}: no X-ray wavelength in angstrom; copper's is 1.5406, molybdenum's 0.7093"
        )


def _refuse_unwritable_page(file: Path | None) -> None:
    if file is None:
        return
    if file.is_dir():
        raise InputError(f"--html {file} is a directory; name a file in it, such as {file / 'phases.html'}")
    if not file.parent.is_dir():
        raise InputError(f"--html {file}: there is no directory {file.parent}; make it, or name another file")


class _Run:
    """One call of the command: results go to the terminal, the list and the page as they come."""

    def __init__(
        self, *, paths: Sequence[Path], as_json: Path | None, html: Path | None, html_limit: int, is_quiet: bool
    ) -> None:
        from surrogate.xrd.page import Page

        self._n = len(paths)
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
        try:
            for found in results:
                listing.add(found.as_dict())
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
        partial = self._html.with_name(self._html.name + ".partial")
        try:
            partial.write_text(self._page.render(notices=notices, about=about), encoding="utf-8")
            partial.replace(self._html)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise StorageError(
                f"--html {self._html} cannot be written ({error.strerror}); name another file"
            ) from error
