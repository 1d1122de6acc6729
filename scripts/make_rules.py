"""Rewrite the pages of the rules of `lossary check`, docs/rules/, from the rules themselves.

python scripts/make_rules.py            rewrite
python scripts/make_rules.py --check    fail if a page is stale
"""

from __future__ import annotations

import re
import sys

import pages
from lossary.check.report.page import left_out
from lossary.check.rulebook.rule import FAMILIES, Rule, rules

HEADER = "<!-- Written by `make index` from the rules; do not edit. -->\n"
THREAD = re.compile(r"^([\w.-]+/[\w.-]+)#(\d+)(.*)$", re.DOTALL)


def page(rule: Rule) -> str:
    """One rule: what it promises, the bug, a wrong and a right example, and where the bug bit somebody."""
    slow = "It is slow, and asked only with `--thorough` or by its code.\n" if rule.thorough else ""
    parts = [
        HEADER,
        f"# {rule.code} {rule.name}\n",
        f"{rule.promise}\n",
        f"*{rule.severity} · {rule.family}*\n",
        f"{rule.bug}\n",
        f"Wrong:\n\n```py\n{rule.wrong}\n```\n",
        f"Right:\n\n```py\n{rule.right}\n```\n",
        f"The way out: {rule.remedy}.\n",
        pages.bullets("It is left out where", tuple(left_out(rule))),
        slow,
        pages.bullets("Where it was seen", tuple(linked(each) for each in rule.seen)),
        f"`lossary check losses.py --select {rule.code}` asks only this; `--ignore {rule.code}` leaves it out.\n",
    ]
    return "\n".join(part for part in parts if part)


def linked(seen: str) -> str:
    """ "pytorch/pytorch#16045: what happened" with a link to the thread."""
    found = THREAD.match(seen)
    if found is None:
        return seen
    repository, number, rest = found.groups()
    return f"[{repository}#{number}](https://github.com/{repository}/issues/{number}){rest}"


def contents() -> str:
    """Every rule, by family."""
    introduction = (
        f"{len(rules())} promises that a loss should keep. An **error** is a wrong number, gradient or shape for "
        "legitimate input, or a silent broadcast; a **warning** is leniency with bad input, lost digits or lost time. "
        "In a terminal: `lossary show rules` and `lossary show LSY101`.\n"
    )
    parts = [HEADER, "# The rules of `lossary check`\n", introduction]
    for digit, (_, title) in FAMILIES.items():
        rows = [_row(each) for each in rules() if each.code[3] == digit]
        if rows:
            parts += [f"## LSY{digit}: {title}\n", pages.table(("code", "name", "severity", "promise"), rows)]
    return "\n".join(parts)


def _row(rule: Rule) -> tuple[str, ...]:
    severity = rule.severity + (", slow" if rule.thorough else "")
    return f"[{rule.code}]({rule.code}.md)", rule.name, severity, rule.promise


def main() -> int:
    return pages.update("rules", {"README.md": contents()} | {f"{each.code}.md": page(each) for each in rules()})


if __name__ == "__main__":
    sys.exit(main())
