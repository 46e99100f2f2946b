"""What the codes of errors and the names of checks mean: the texts of ``kpipe explain`` and of two pages of the docs.

The texts are in ``errors.toml`` and ``checks.toml`` beside this file, and nowhere else.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from kpipe.core.wording import did_you_mean
from kpipe.errors import UsageError

__all__ = ["Explanation", "explain", "explanations"]

_MAX_NEAR = 4  # similar names that an error lists


class Explanation(NamedTuple):
    """The meaning of an error's code or of a check.

    Attributes
    ----------
    name : str
        The code, or the check's name in ``run.json``.
    kind : {"error", "check"}
    means : str
        What is wrong; of a check, what holds if it passes.
    found : str
        How kpipe finds it.
    example : str
    fix : str
        What to do.
    next : tuple of str
        Commands, with placeholders such as ``{slug}``.
    """

    name: str
    kind: Literal["error", "check"]
    means: str
    found: str
    example: str
    fix: str
    next: tuple[str, ...] = ()

    def lines(self) -> Iterable[str]:
        """The explanation as paragraphs of Markdown, without a heading."""
        yield self.means
        yield f"**How it is detected:** {self.found}"
        yield f"**Example:** `{self.example}`" if self.example.startswith("kpipe") else f"**Example:** {self.example}"
        yield f"**What to do:** {self.fix}"
        if self.next:
            typed = (command.format(slug="SLUG", run="RUN", data="", out="") for command in self.next)
            yield f"**Next:** {', '.join(f'`{command}`' for command in typed)}"


@cache
def explanations() -> dict[str, Explanation]:
    """All codes and checks.

    Returns
    -------
    dict of str to Explanation
        By name: the codes of errors, then the checks.
    """
    return {**_read("errors.toml", "error"), **_read("checks.toml", "check")}


def _read(file: str, kind: Literal["error", "check"]) -> dict[str, Explanation]:
    texts = tomllib.loads((Path(__file__).parent / file).read_text(encoding="utf-8"))
    return {
        name: Explanation(name, kind, **{**fields, "next": tuple(fields.get("next", ()))})
        for name, fields in texts.items()
    }


def explain(name: str) -> Explanation:
    """The explanation of a code or a check.

    Parameters
    ----------
    name : str
        In any case, with blanks or hyphens; also the name that a check had in earlier versions.

    Returns
    -------
    Explanation

    Raises
    ------
    UsageError
        If there is no such code or check; the message lists similar names.

    Examples
    --------
    >>> explain("Target-Leakage").name, explain("unknown-metric").kind
    ('target leakage', 'error')
    """
    from kpipe.runs.recorded_checks import current_check_name

    known = explanations()
    by_key = {_key(one): one for one in known}
    found = by_key.get(_key(name)) or by_key.get(_key(current_check_name(name)))
    if found is None:
        raise UsageError(f"There is neither an error code nor a check {name!r}.{_near(name)}", code="unknown-code")
    return known[found]


def _key(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _near(name: str) -> str:
    """A sentence with the names that were probably meant: similar ones, and those that contain one of its words."""
    from difflib import get_close_matches

    known = list(explanations())
    words = {word for word in name.casefold().replace("-", " ").split() if len(word) > 2}
    sharing = [one for one in known if words & {*one.replace("-", " ").split()}]
    near = list(dict.fromkeys([*get_close_matches(name.casefold(), known, _MAX_NEAR), *sharing]))[:_MAX_NEAR]
    if len(near) < 2:
        return did_you_mean(name, known) or " `kpipe explain` lists all of them."
    return f" Did you mean one of these: {', '.join(near)}?"
