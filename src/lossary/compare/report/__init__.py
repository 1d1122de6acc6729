"""Last stage: what the comparison found, as text for a terminal, as a page to look at and as JSON."""

from lossary.compare.report.document import SCHEMA
from lossary.compare.report.file import html_name, write_html
from lossary.compare.report.result import Result
from lossary.compare.report.terminal import code, heading, rendered
from lossary.compare.report.words import plan_line, sentence

__all__ = ["SCHEMA", "Result", "code", "heading", "html_name", "plan_line", "rendered", "sentence", "write_html"]
