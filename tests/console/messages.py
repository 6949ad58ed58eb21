"""Every text that templates and code ask to be translated."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from django.template.base import Lexer, Token, TokenType

SOURCES = Path(__file__).resolve().parents[2] / "src" / "yutang"
CATALOGUE = SOURCES / "console" / "locale" / "en" / "LC_MESSAGES" / "django.po"
_NAMES = {"_", "gettext", "gettext_lazy", "ngettext", "ngettext_lazy", "pgettext"}
_CALLED = re.compile(r"\b(?:_|gettext|n?gettext_lazy|[np]gettext)\(")
_TRANSLATE = re.compile(r"""^(?:translate|trans)\s+(?:"([^"]*)"|'([^']*)')""")


@cache
def asked() -> dict[str, str]:
    """Each text, with the file that asks for it."""
    found: dict[str, str] = {}
    for path in sorted(SOURCES.rglob("templates/**/*.html")):
        found.update(dict.fromkeys(in_template(path.read_text(encoding="utf-8")), path.name))
    for path in sorted(SOURCES.rglob("*.py")):
        found.update(dict.fromkeys(in_code(path.read_text(encoding="utf-8")), path.name))
    return found


def in_template(text: str) -> Iterator[str]:
    """The texts of a template, as the catalogue has them: variables as `%(name)s`."""
    inside: list[Token] | None = None
    for token in Lexer(text).tokenize():
        if token.token_type is TokenType.BLOCK and token.contents.startswith(("blocktranslate", "blocktrans")):
            inside = []
        elif inside is not None and token.token_type is TokenType.BLOCK:
            yield _message(inside)
            inside = [] if token.contents == "plural" else None
        elif inside is not None:
            inside.append(token)
        elif token.token_type is TokenType.BLOCK and (match := _TRANSLATE.match(token.contents)):
            yield (match[1] if match[1] is not None else match[2]).replace("%", "%%")  # as Django looks it up


def _message(tokens: list[Token]) -> str:
    return "".join(
        f"%({token.contents})s" if token.token_type is TokenType.VAR else token.contents.replace("%", "%%")
        for token in tokens
    )


def in_code(text: str) -> Iterator[str]:
    """The texts of a Python file."""
    if not _CALLED.search(text):
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _NAMES:
            for argument in node.args[: 2 if node.func.id.startswith("n") else 1]:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield argument.value
