"""Write JCAMP-DX tables in all forms, as an instrument would."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

FORMS = ("AFFN", "PAC", "SQZ", "SQZDUP", "DIF", "DIFDUP")
_SQUEEZED = dict(zip("0123456789", "@ABCDEFGHI", strict=True)), dict(zip("0123456789", "@abcdefghi", strict=True))
_STEPS = dict(zip("0123456789", "%JKLMNOPQR", strict=True)), dict(zip("0123456789", "%jklmnopqr", strict=True))
_REPEATS = dict(zip("123456789", "STUVWXYZs", strict=True))

Letters = tuple[dict[str, str], dict[str, str]]


def rows(
    values: Sequence[int], form: str, *, first: float = 400.0, step: float = 2.0, per_line: int = 5, ending: str = ""
) -> list[str]:
    """Return the lines of a table ``(X++(Y..Y))``, with `per_line` new points in each."""
    lines = []
    by_difference = False
    for start in range(0, len(values), per_line):
        chunk = list(values[start : start + per_line])
        if form.startswith("DIF"):
            shown = [values[start - 1], *chunk] if by_difference else chunk  # the last value comes again, as a check
            at = first + (start - by_difference) * step
            steps = [after - before for before, after in _steps(shown)]
            lines.append(f"{at:g}{_coded(shown[0], _SQUEEZED)}{_repeated(steps, _STEPS, form)}{ending}")
            by_difference = len(shown) > 1
        else:
            lines.append(f"{first + start * step:g}{_absolute(chunk, form)}{ending}")
    if by_difference:
        lines.append(f"{first + (len(values) - 1) * step:g}{_coded(values[-1], _SQUEEZED)}{ending}")
    return lines


def _steps(values: Sequence[int]) -> Iterator[tuple[int, int]]:
    return zip(values, values[1:], strict=False)


def _absolute(chunk: Sequence[int], form: str) -> str:
    if form == "AFFN":
        return " " + " ".join(map(str, chunk))
    if form == "PAC":
        return "".join(f"{value:+d}" for value in chunk)
    return _repeated(chunk, _SQUEEZED, form)


def _repeated(numbers: Sequence[int], letters: Letters, form: str) -> str:
    text, last, times = "", None, 1
    for number in [*numbers, None]:
        if number is not None and number == last and form.endswith("DUP"):
            times += 1
            continue
        if times > 1:
            text += _REPEATS[str(times)[0]] + str(times)[1:]
        if number is not None:
            text += _coded(number, letters)
        last, times = number, 1
    return text


def _coded(number: int, letters: Letters) -> str:
    digits = str(abs(number))
    return letters[number < 0][digits[0]] + digits[1:]


def jcamp_file(lines: Sequence[str], points: int, **labels: object) -> bytes:
    """Return a file with a table's lines; labels replace those of the example, None leaves one out."""
    texts: dict[str, object] = {
        "TITLE": "example", "JCAMP-DX": "4.24", "DATA TYPE": "INFRARED SPECTRUM", "ORIGIN": "tests", "OWNER": "public",
        "XUNITS": "1/CM", "YUNITS": "ABSORBANCE", "FIRSTX": 400, "LASTX": 400 + 2 * (points - 1), "NPOINTS": points,
        "XFACTOR": 1, "YFACTOR": 0.001, "XYDATA": "(X++(Y..Y))",
    }  # fmt: skip
    texts |= {label.replace("_", " "): text for label, text in labels.items()}
    tables = ("XYDATA", "XYPOINTS", "PEAK TABLE")
    head = [f"##{label}= {text}" for label, text in texts.items() if text is not None and label not in tables]
    table = [f"##{label}= {texts[label]}" for label in tables if texts.get(label) is not None]
    return "\n".join([*head, *table, *lines, "##END=", ""]).encode()
