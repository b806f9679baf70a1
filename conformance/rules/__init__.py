"""The rule behind failures: the shortest exact statement over the facts of cases that holds for all failing ones and for no passing one.

A `Rule` is a conjunction of at most `LONGEST` `Literal`s, in the vocabulary of the deviations file: facts of the case, facts that one
and the same axis has, that every axis has, that the first or the last one has. So a rule can be read as a sentence, and written down as
a deviation. `find` gives, for a set of failures:

1. one exact rule, if there is one: the search over conjunctions is complete but for its bounds (see `conformance.rules.search`);
2. else several, each bought only if it is shorter than the list of the cases that it spares (description length), exact where that pays.
"""

from __future__ import annotations

from conformance.rules.literals import SCOPES, Literal, Rule
from conformance.rules.phrases import describe
from conformance.rules.search import LONGEST, Findings, find
from conformance.rules.table import Mask, Table

__all__ = ["LONGEST", "SCOPES", "Findings", "Literal", "Mask", "Rule", "Table", "describe", "find"]
