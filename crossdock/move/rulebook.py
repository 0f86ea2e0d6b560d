"""Thousands of redirect rules, asked in their server's order without trying each of them."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence

from crossdock.core.redirects import Address, Rule, decoded, plain_start


class RuleBook:
    """Rules in the order in which their server asks them. Exact paths and prefixes are looked up; an expression is
    tried only where the plain text that it begins with fits. So an address costs its length, not the number of rules,
    unless thousands of expressions begin alike."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self._exact: dict[str, list[int]] = {}
        self._starts: dict[str, list[int]] = {}
        for number, rule in enumerate(self.rules):
            if rule.kind == "exact":
                self._exact.setdefault(rule.match, []).append(number)
            else:
                start = rule.match if rule.kind == "prefix" else literal_start(rule)
                self._starts.setdefault(start, []).append(number)
        self._lengths = sorted({len(start) for start in self._starts})

    def _candidates(self, path: str) -> Iterator[int]:
        lists: list[Iterable[int]] = []
        if path in self._exact:
            lists.append(self._exact[path])
        for length in self._lengths:
            if length > len(path):
                break
            if found := self._starts.get(path[:length]):
                lists.append(found)
        return iter(lists[0]) if len(lists) == 1 else heapq.merge(*lists)

    def matches(self, asked: Address) -> Iterator[tuple[Rule, str]]:
        """Every rule that applies, first come first served, with where it sends the address ('' for gone)."""
        for number in self._candidates(decoded(asked.path)):
            target = self.rules[number].applied(asked)
            if target is not None:
                yield self.rules[number], target

    def first(self, asked: Address) -> tuple[Rule, str] | None:
        """The rule that decides, and where it sends the address; None when no rule applies."""
        return next(self.matches(asked), None)


def literal_start(rule: Rule) -> str:
    """The plain text with which every path that an expression fits must begin."""
    return "" if rule.ignore_case else plain_start(rule.match)
