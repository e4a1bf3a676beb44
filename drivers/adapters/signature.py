"""Commands that are made from declarations: name, argument and units as if they had been written by hand."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any

from drivers.command import Quantity


def as_written(
    function: Callable[..., Any],
    name: str,
    summary: str,
    *,
    takes: tuple[str, Quantity] | None = None,
    returns: Any = Any,
) -> Callable[..., Any]:
    """Return an async method that `drivers.command.command` can declare.

    Args:
        function: What it does: an async function of the driver, and of the argument's value if it takes one.
        name: Its name.
        summary: Its docstring.
        takes: Its argument, a keyword, with unit and limits.
        returns: The annotation of what it returns.
    """
    parameters = [inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    hints: dict[str, Any] = {"return": returns}
    if takes is not None:
        argument, quantity = takes
        hints[argument] = Annotated[float, quantity]
        parameters.append(inspect.Parameter(argument, inspect.Parameter.KEYWORD_ONLY, annotation=hints[argument]))
    signature = inspect.Signature(parameters)

    async def method(self: Any, **arguments: Any) -> Any:
        signature.bind(self, **arguments)  # a TypeError before anything is done, as of any other method
        return await function(self, *arguments.values())

    method.__name__ = method.__qualname__ = name
    method.__doc__ = summary
    method.__annotations__ = hints
    method.__signature__ = signature  # type: ignore[attr-defined]
    return method
