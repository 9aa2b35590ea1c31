"""Calls that the rewriting adds, and the declarations that they need."""


class Calls:
    """Writes call instructions and remembers what has to be declared for them."""

    def __init__(self) -> None:
        self._declarations: dict[str, str] = {}

    def to(self, result: str, function: str, *arguments: str) -> str:
        """`call result @function(arguments)`; each argument is `type value`."""
        types = ", ".join(argument.split()[0] for argument in arguments)
        self._declarations[function] = f"declare {result} @{function}({types})"
        return f"call {result} @{function}({', '.join(arguments)})"

    def declarations(self, known: set[str]) -> list[str]:
        """One line for each function called so far that is not `known`, in the order of the first calls."""
        return [line for function, line in self._declarations.items() if function not in known]
