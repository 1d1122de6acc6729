"""What a rule says of itself, for people: `lossary show LSY101`, and all of them: `lossary show rules`."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

from lossary.check.rulebook.rule import Rule, find, rules
from lossary.describe.show import row
from lossary.errors import UnknownNameError

_WIDTH = 80


def about(name: str, *, heading: Callable[[str], str] = str) -> str | None:
    """The page of the rule of that code or name, or the list of all for "rules"; None where it is no such name.

    Raises:
        UnknownNameError: it looks like a code, and no rule has it.
    """
    if name.lower() == "rules":
        return contents(heading=heading)
    try:
        return page(find(name), heading=heading)
    except UnknownNameError:
        if name.upper().startswith("LSY"):
            raise
        return None


def page(rule: Rule, *, heading: Callable[[str], str] = str) -> str:
    """Everything there is to say of a rule, at 80 columns."""
    title, kind = f"{rule.code} {rule.name}", f"{rule.severity} · {rule.family}"
    lines = [heading(title) + kind.rjust(_WIDTH - len(title)), *textwrap.wrap(rule.promise, _WIDTH), ""]
    for paragraph in rule.bug.split("\n\n"):
        lines += [*textwrap.wrap(" ".join(paragraph.split()), _WIDTH), ""]
    for label, code in (("Wrong", rule.wrong), ("Right", rule.right)):
        lines += [heading(label), *(f"    {line}".rstrip() for line in code.splitlines()), ""]
    lines += row("Help", [rule.remedy], heading)
    if rule.needs:
        lines += row("Left out", [f"where {', or '.join(left_out(rule))}"], heading)
    if rule.thorough:
        lines += row("Slow", ["only with --thorough, or where it is selected by its code"], heading)
    return "\n".join([*lines, *row("Seen", list(rule.seen), heading)]) + "\n"


def left_out(rule: Rule) -> list[str]:
    """Why the rule may not apply."""
    return [tag.why_not for tag in rule.needs]


def contents(*, heading: Callable[[str], str] = str) -> str:
    """Every rule, by family, at 80 columns."""
    lines = []
    for family in dict.fromkeys(each.family for each in rules()):
        lines.append(heading(family))
        for each in rules():
            if each.family == family:
                marks = " (slow)" if each.thorough else ""
                lines.append(f"  {each.code}  {each.severity:<8} {each.name}{marks}")
    return "\n".join([*lines, "", f"{len(rules())} rules. lossary show LSY101 says more of one.", ""])
