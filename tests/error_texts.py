"""Every error text of the program, as far as its code spells it out."""

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from utxoracle import errors
from utxoracle.errors import SourceError, StorageError, UtxoracleError

PACKAGE = Path(errors.__file__).parent

HOLE = "…"
"""What stands for a value in a text."""

FEWEST_LETTERS = 12
"""A text of fewer says nothing by itself: what its values can be is looked up."""

DEEPEST = 4
"""So often a value is looked up that comes from another one."""

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass(frozen=True)
class ErrorText:
    """A text with HOLE for each value, the exit code that it goes with, and where it is made."""

    text: str
    exit_code: int
    place: str


def error_texts() -> list[ErrorText]:
    modules = [Module(path) for path in sorted(PACKAGE.rglob("*.py"))]
    codes = exit_codes(modules)
    found = {
        ErrorText(text, codes[kind], f"{module.name}:{call.lineno}")
        for module in modules
        for call in module.calls
        for kind in module.kinds(call, set(codes))
        for text in module.told(call)
    }
    return sorted(found, key=lambda one: (one.exit_code, one.place, one.text))


def exit_codes(modules: list["Module"]) -> dict[str, int]:
    """Return the exit code of each class of errors, those of single files included."""
    # A failed connection is told by a text that follows the server's name; and the program itself
    # fails only at its output.
    codes = {"Trouble": SourceError.exit_code, "_fail": StorageError.exit_code}
    for name, kind in vars(errors).items():
        if inspect.isclass(kind) and issubclass(kind, UtxoracleError):
            codes[name] = kind.exit_code
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef) and node.name not in codes:
                for base in node.bases:
                    if isinstance(base, ast.Name) and base.id in codes:
                        codes[node.name] = codes[base.id]
    return codes


def called(call: ast.Call) -> str:
    return str(getattr(call.func, "id", getattr(call.func, "attr", "")))


def letters(text: str) -> int:
    return sum(one.isalpha() for one in text)


class Module:
    """A file of the package, and what its expressions can be as text."""

    def __init__(self, path: Path) -> None:
        self.name = str(path.relative_to(PACKAGE))
        self.tree = ast.parse(path.read_text())
        self.calls = [node for node in ast.walk(self.tree) if isinstance(node, ast.Call)]
        self._function_of: dict[ast.AST, Function | None] = {}
        self._walk(self.tree, None)

    def _walk(self, node: ast.AST, function: Function | None) -> None:
        self._function_of[node] = function
        inner = node if isinstance(node, Function) else function
        for child in ast.iter_child_nodes(node):
            self._walk(child, inner)

    def kinds(self, call: ast.Call, known: set[str]) -> set[str]:
        """Return the classes of errors that a call can make."""
        if called(call) in known or not isinstance(call.func, ast.Name):
            return {called(call)} & known
        chosen = [
            name.id
            for value in self._behind(call.func)
            for name in ast.walk(value)
            if isinstance(name, ast.Name)
        ]
        return set(chosen) & known

    def told(self, call: ast.Call) -> set[str]:
        """Return the texts that an error can be made with."""
        columns = [self.texts(argument) for argument in call.args]
        # The one with several arguments puts its message together like this: PriceImpossible.
        found = {": ".join(parts) for parts in product(*columns)}
        found = {re.sub(r"{[a-z_]+(:[^}]*)?}", HOLE, text) for text in found}
        return {
            re.sub(f"{HOLE}[{HOLE} ]*{HOLE}", HOLE, text)
            for text in found
            if letters(text) >= FEWEST_LETTERS
        }

    def texts(self, node: ast.expr, depth: int = 0, *, deeply: bool = False) -> set[str]:
        """Return what an expression can be as text, with HOLE for what is not known before."""
        found = set()
        match node:
            case ast.Constant(value=str(text)):
                found = {text}
            case ast.IfExp(body=body, orelse=orelse):
                found = self.texts(body, depth) | self.texts(orelse, depth)
            case ast.BinOp(op=ast.Add(), left=left, right=right):
                found = self._joined([left, right], depth)
            case ast.JoinedStr(values=values):
                found = self._joined(values, depth, deeply=deeply)
                if not deeply and max(map(letters, found)) < FEWEST_LETTERS:
                    found = self._joined(values, depth, deeply=True)
            case ast.FormattedValue(value=value) if deeply or isinstance(value, ast.IfExp):
                found = self.texts(value, depth + 1)
            case ast.Name() | ast.Call() if depth < DEEPEST:
                found = set().union(*(self.texts(one, depth + 1) for one in self._behind(node)))
        return found or {HOLE}

    def _joined(self, parts: list[ast.expr], depth: int, *, deeply: bool = False) -> set[str]:
        columns = [self.texts(part, depth, deeply=deeply) for part in parts]
        return {"".join(each) for each in product(*columns)}

    def _behind(self, node: ast.Name | ast.Call) -> Iterator[ast.expr]:
        """Give the expressions of this file that a name or a call can stand for."""
        if isinstance(node, ast.Call):
            if called(node) == "format" and isinstance(node.func, ast.Attribute):
                yield node.func.value
            for one in ast.walk(self.tree):
                if isinstance(one, ast.Return) and one.value:
                    function = self._function_of[one]
                    if getattr(function, "name", "") == called(node):
                        yield one.value
            return
        function = self._function_of[node]
        for one in ast.walk(function or self.tree):
            yield from self._bound(node.id, one)
        if isinstance(function, ast.FunctionDef):
            yield from self._passed(function, node.id)
        if function:
            for one in self.tree.body:
                yield from self._bound(node.id, one)

    def _bound(self, name: str, node: ast.AST) -> Iterator[ast.expr]:
        match node:
            case ast.Assign(targets=[target], value=value) | ast.For(target=target, iter=value):
                pass
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                pass
            case _:
                return
        if isinstance(target, ast.Name) and target.id == name and not isinstance(node, ast.For):
            yield value
        elif isinstance(target, ast.Tuple):
            names = [getattr(one, "id", "") for one in target.elts]
            if name in names:
                yield from self._column(value, names.index(name))

    def _column(self, value: ast.expr, at: int) -> Iterator[ast.expr]:
        """Give what stands at a place in each row of a table of constants, or in one tuple."""
        for row in ast.walk(value):
            if isinstance(row, ast.Name):
                for table in self._behind(row):
                    yield from self._column(table, at)
            elif isinstance(row, ast.Tuple) and len(row.elts) > at:
                yield row.elts[at]

    def _passed(self, function: ast.FunctionDef, name: str) -> Iterator[ast.expr]:
        """Give what the calls of a function pass for one of its parameters."""
        names = [one.arg for one in (*function.args.posonlyargs, *function.args.args)]
        names = names[1:] if names[:1] in (["self"], ["cls"]) else names
        for call in self.calls:
            if called(call) != function.name:
                continue
            if name in names and len(call.args) > names.index(name):
                yield call.args[names.index(name)]
            yield from (one.value for one in call.keywords if one.arg == name)
