"""PHP as judge: what it calls broken is broken, and what it lets pass is in order."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from crossdock.core.errors import ConnectionLost
from crossdock.edges.judge import JudgeAt, PhpJudge

pytestmark = pytest.mark.skipif(shutil.which("php") is None, reason="PHP is not installed")


@pytest.fixture
def judge() -> Iterator[PhpJudge]:
    judge = JudgeAt()()
    yield judge
    judge.close()


GOOD = [
    (b'a:1:{s:1:"u";s:13:"http://a.test";}', b'a:1:{s:1:"u";s:15:"http://bbb.testx";}'.replace(b"testx", b"test")),
    (b'O:3:"Foo":1:{s:6:"\0Foo\0u";s:13:"http://a.test";}', b'O:3:"Foo":1:{s:6:"\0Foo\0u";s:13:"http://b.test";}'),
    (b'{"u":"http:\\/\\/a.test"}', b'{"u":"http:\\/\\/b.test"}'),
    (b"see http://a.test", b"see http://b.test"),
    (b"a:1:{not serialized http://a.test", b"a:1:{not serialized http://b.test"),
    (b"b:0;", b"b:0;"),
    (b'  s:13:"http://a.test";\n', b'  s:13:"http://b.test";\n'),
]
BAD = [
    (b's:13:"http://a.test";', b's:13:"http://bbb.test";', "no longer unserializes"),
    (b'a:1:{i:0;s:3:"a.t";}', b'a:2:{i:0;s:3:"a.t";i:1;i:2;}', "entries became"),
    (b'a:1:{i:0;s:1:"1";}', b"a:1:{i:0;i:1;}", "became integer"),
    (b'a:1:{i:0;s:8:"s:1:"a";";}', b'a:1:{i:0;s:9:"s:1:"ab";";}', "no longer unserializes"),
    (b'{"u":"x"}', b'{"u":"x"', "no longer JSON"),
    (b'{"n":1,"u":"x"}', b'{"n":2,"u":"x"}', "integer changed"),
    (b'{"u":"s:1:\\"a\\";"}', b'{"u":"s:1:\\"ab\\";"}', "no longer unserializes"),
]


@pytest.mark.parametrize("pair", GOOD)
def test_what_is_in_order_passes(judge: PhpJudge, pair: tuple[bytes, bytes]) -> None:
    assert judge.judge([pair]) == []


@pytest.mark.parametrize(("before", "after", "said"), BAD)
def test_what_is_broken_is_named(judge: PhpJudge, before: bytes, after: bytes, said: str) -> None:
    (found,) = judge.judge([(before, after)])
    assert said in found


def test_big_frames_in_both_directions_do_not_block(judge: PhpJudge) -> None:
    body = b"x" * (3 << 20)
    good = b's:%d:"%s";' % (len(body), body)
    broken = b's:%d:"%s";' % (len(body) - 1, body)
    found = judge.judge([(good, good + b" "), (good, broken)] * 4)
    assert len(found) == 4


def test_a_judge_that_has_died_is_told(judge: PhpJudge) -> None:
    judge._process.kill()
    judge._process.wait()
    with pytest.raises(ConnectionLost):
        judge.judge([(b"a", b"b")])
