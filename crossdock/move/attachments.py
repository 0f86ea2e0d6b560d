"""Whether the files that a store's database names are where its addresses now point to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from crossdock.core.evidence import Finding, Level
from crossdock.core.files import Entry, shown
from crossdock.core.ports import Session
from crossdock.move.trees import Tree
from crossdock.wordpress.content_files import ATTACHMENT_KEYS, attached_files
from crossdock.wordpress.ddl import quoted

_NAMED = 5


@dataclass(frozen=True)
class Attachments:
    """Counts of files that a database names; those that were missing at the source already are told apart."""

    named: int
    missing: int
    missing_at_source: int
    examples: tuple[bytes, ...] = ()
    examples_at_source: tuple[bytes, ...] = ()

    @classmethod
    def of(cls, named: Sequence[bytes], source: Mapping[bytes, str], target: Mapping[bytes, Entry]) -> Attachments:
        """`source` and `target` are what is below uploads on each side."""
        absent = sorted(name for name in set(named) if name not in target)
        lost = [name for name in absent if name in source]
        never = [name for name in absent if name not in source]
        return cls(len(set(named)), len(lost), len(never), tuple(lost[:_NAMED]), tuple(never[:_NAMED]))

    def findings(self, tree: Tree) -> Iterator[Finding]:
        place = f"{tree.store}: {tree.target}"
        if self.missing:
            text = (
                f"{self.missing} of {self.named} files of attachments are missing at the target: {_list(self.examples)}"
            )
            yield Finding(
                "file.attachment-missing", Level.FAIL, place, text, "crossdock move files --to ENV carries them",
                {"files": self.missing},
            )  # fmt: skip
        if self.missing_at_source:
            text = f"{self.missing_at_source} of {self.named} files of attachments were missing at the source already"
            yield Finding(
                "file.attachment-missing", Level.WARN, f"{place} (as at the source)",
                f"{text}: {_list(self.examples_at_source)}", "nothing was lost in the move",
                {"files": self.missing_at_source},
            )  # fmt: skip


def read_attachments(session: Session, prefix: str) -> list[bytes]:
    """The files below uploads that a blog's postmeta names."""
    marks = ", ".join(f"'{key}'" for key in ATTACHMENT_KEYS)
    sql = f"SELECT meta_key, meta_value FROM {quoted(prefix + 'postmeta')} WHERE meta_key IN ({marks})"
    found: dict[bytes, None] = {}
    for batch in session.stream(sql):
        for key, value in batch:
            found.update(dict.fromkeys(attached_files((key or b"").decode(), value or b"")))
    return list(found)


def _list(names: Sequence[bytes]) -> str:
    return ", ".join(shown(name) for name in names)
