"""One conformance suite for every way to a database (direct, tunnel, relay) and both ways to load."""

from __future__ import annotations

import os
import pickle
import threading
import time
from dataclasses import replace

import pytest

from crossdock.core.errors import AccessError, ConnectionLost, LockWaitError, SourceError, TargetError
from crossdock.core.secrets import Masked
from crossdock.edges.database import DatabaseAccount, connect_database
from crossdock.edges.mysql import select_list
from crossdock.edges.mysql_values import encode_fields, literal

EVERY_BYTE = bytes(range(256))
EDGE_COLUMNS = """
 id INT PRIMARY KEY, n INT NOT NULL AUTO_INCREMENT UNIQUE,
 f FLOAT, f2 FLOAT(7,2), d DOUBLE, dc DECIMAL(30,10), bu BIGINT UNSIGNED, b1 BIT(1), b64 BIT(64),
 en ENUM('a','','ü'), en2 ENUM('x','y'), st SET('p','q','r'), y YEAR, da DATE, dt DATETIME(6), ts TIMESTAMP NULL,
 tm TIME(3), u UUID, i6 INET6, g GEOMETRY, bi BINARY(16), vb VARBINARY(300), lb LONGBLOB, t8 LONGTEXT, c8 CHAR(20),
 t3 TEXT CHARACTER SET utf8mb3, l1 VARCHAR(300) CHARACTER SET latin1, l1big LONGTEXT CHARACTER SET latin1,
 g1 VARCHAR(20) CHARACTER SET greek, js JSON,
 gen INT GENERATED ALWAYS AS (id + 1) STORED, gev INT AS (id + 2) VIRTUAL"""


@pytest.fixture(scope="module", autouse=True)
def edge_table(mariadb):
    session = mariadb.endpoint().open_target()
    session.execute("DROP TABLE IF EXISTS edge, copy")
    session.execute(f"CREATE TABLE edge ({EDGE_COLUMNS}) DEFAULT CHARSET utf8mb4")
    session.execute("CREATE TABLE copy LIKE edge")
    bits = "1" * 64
    session.execute(
        "INSERT IGNORE INTO edge (id,f,f2,d,dc,bu,b1,b64,en,en2,st,y,da,dt,ts,tm,u,i6,g,bi,vb,lb,t8,t3,js,l1,g1) VALUES"
        " (0,16777216,1.23,1.7976931348623157e308,12345678901234567890.0123456789,18446744073709551615,b'1',"
        f" b'{bits}','','bogus','p,r',0,'0000-00-00','0000-00-00','0000-00-00','-838:59:59',"
        " '123e4567-e89b-12d3-a456-426655440000','::ffff:1.2.3.4',ST_GeomFromText('LINESTRING(0 0,1 1)',4326),"
        f" %s,%s,%s,%s,'üß','{{\"a\": 1}}',CONVERT(X'{EVERY_BYTE.hex()}' USING latin1),'αβγ')",
        [EVERY_BYTE[:16], EVERY_BYTE, EVERY_BYTE * 3, "😀 \\N NULL \x1d\x1e\x10N\x10 \x00 ' \" \r\n\t\x1a"],
    )
    session.execute("INSERT INTO edge (id) VALUES (1)")
    session.execute(
        "INSERT INTO edge (id,t8,vb,lb,l1,c8,bi,st,da) VALUES"
        " (2,'','','NULL','NULL','','','','2024-00-00'),(3,'NULL',%s,'','','x ','a ','q','9999-12-31')",
        ["\\N"],
    )
    session.execute("INSERT INTO edge (id,f,d,ts) VALUES (4,0.1,0.1,'2026-03-29 01:30:00'),(5,-3.4e38,5e-324,NULL)")
    session.execute("INSERT INTO edge (id,f,d,en2) VALUES (6,1e-45,-0.0,'y'),(-7,1,1,'x')")
    session.execute(
        "INSERT INTO edge (id,lb,l1big) VALUES (8,REPEAT(X'001D1E105C27',3333333),REPEAT(_latin1 X'E9',9999999))"
    )
    session.close()


@pytest.fixture(params=["direct", "tunnel", "relay"])
def connected(request, mariadb, sshd, gateway):
    host = gateway.host() if request.param == "relay" else sshd.host()
    account = DatabaseAccount("cd_test", "cd", mariadb.password, f"127.0.0.1:{mariadb.port}")
    connection = connect_database(host, account, transport=request.param)
    yield connection
    connection.close()


def raw_rows(session, table, columns):
    """What the server stores, seen past every conversion of ours (CHECKSUM TABLE sees the numbers' every bit)."""
    names = [f"`{column.name}`" for column in columns]
    list_ = ", ".join(f"MD5({name}), LENGTH({name})" for name in names)
    return session.query(f"SELECT {list_} FROM {table} ORDER BY id")


WAYS = {
    "bulk": {"bulk": True, "local_infile": False},
    "load-data": {"bulk": False, "local_infile": True},
    "insert": {"bulk": False, "local_infile": False},
}


@pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
def test_every_type_travels_exactly(connected, way):
    endpoint = replace(connected.endpoint, **way)
    source, target = endpoint.open_source(), endpoint.open_target()
    assert (target.uses_bulk, target.uses_local_infile) == (way["bulk"], way["local_infile"])
    columns = source.schema("edge").table("edge").stored_columns
    target.execute("TRUNCATE copy")
    target.execute("START TRANSACTION")
    rows = f"SELECT {select_list(columns)} FROM edge ORDER BY id"
    assert target.load("copy", columns, source.stream(rows)) == 9
    target.execute("COMMIT")
    sums = target.query("CHECKSUM TABLE edge, copy")
    assert sums[0][1] == sums[1][1]
    assert raw_rows(target, "edge", columns) == raw_rows(target, "copy", columns)
    values = dict(zip([column.name for column in columns], source.query(rows)[1], strict=True))
    assert (values["f"], values["bu"], values["b64"]) == (b"16777216", b"18446744073709551615", b"18446744073709551615")
    assert (values["en"], values["en2"], values["st"]) == (b"2", b"0", b"5")
    assert (values["da"], values["ts"], values["lb"]) == (b"0000-00-00", b"0000-00-00 00:00:00", EVERY_BYTE * 3)
    assert len(values["l1"].decode()) == 256  # MariaDB's latin1 is cp1252 with a character for each byte
    assert (values["g1"], values["t3"]) == ("αβγ".encode(), "üß".encode())


def test_generated_columns_are_known_and_left_out(mariadb):
    table = mariadb.endpoint().open_source().schema("edge").table("edge")
    assert [column.name for column in table.columns if column.generated] == ["gen", "gev"]
    assert "gen" not in [column.name for column in table.stored_columns]


def test_text_that_php_read_as_latin1_stays_raw(mariadb):
    source, target = mariadb.endpoint().open_source(), mariadb.endpoint().open_target()
    target.execute("CREATE OR REPLACE TABLE old (id INT PRIMARY KEY, v TEXT) DEFAULT CHARSET latin1")
    target.execute("CREATE OR REPLACE TABLE old2 LIKE old")
    target.execute("INSERT INTO old VALUES (1, CONVERT(X'E9C3A980' USING latin1))")
    columns = source.schema("old").table("old").columns
    assert source.query(f"SELECT {select_list(columns, 'latin1')} FROM old") == [(b"1", b"\xe9\xc3\xa9\x80")]
    assert source.query(f"SELECT {select_list(columns)} FROM old") == [(b"1", "éÃ©€".encode())]
    for way in WAYS.values():
        loader = mariadb.endpoint(**way).open_target()
        for charset, text in (("latin1", b"\xe9\xc3\xa9\x80"), ("utf8mb4", "éÃ©€".encode())):
            loader.execute("TRUNCATE old2")
            loader.load("old2", columns, [[(b"1", text)]], php_charset=charset)
            assert loader.query("SELECT HEX(v) FROM old2") == [(b"E9C3A980",)]


@pytest.fixture(params=WAYS.values(), ids=list(WAYS))
def target(request, mariadb):
    session = mariadb.endpoint(**request.param).open_target()
    session.execute("CREATE OR REPLACE TABLE t (id INT PRIMARY KEY, v VARCHAR(5), w LONGTEXT)")
    yield session
    session.close()


@pytest.fixture
def columns(target):
    return target.schema("t").table("t").columns


def test_many_batches_of_every_shape(target, columns):
    rows = [
        (b"%d" % n, None if n % 3 else b"x" * (n % 6), os.urandom(8).hex().encode() * (n % 400)) for n in range(9000)
    ]
    batches = [rows[start : start + 700] for start in range(0, 9000, 700)]
    assert target.load("t", columns, [[], *batches, []]) == 9000
    assert target.query("SELECT * FROM t ORDER BY id") == rows
    assert [row for batch in target.stream("SELECT * FROM t ORDER BY id", batch_rows=100) for row in batch] == rows


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ((b"2", b"too long", b""), "Data too long|truncated"),
        ((b"x", b"", b""), "Incorrect integer"),
        ((b"2", b"\xff\xfe", b""), "Incorrect string|Invalid utf8mb4"),
        ((b"1", b"", b""), "Duplicate"),
        ((None, b"", b""), "null"),
    ],
)
def test_a_value_the_column_cannot_hold_keeps_nothing(target, columns, bad, says):
    with pytest.raises(TargetError, match=f"(?i){says}") as caught:
        target.load("t", columns, [[(b"1", b"ok", b"ok"), bad]])
    assert "t" in str(caught.value)
    assert target.query("SELECT COUNT(*) FROM t") == [(b"0",)]
    assert target.load("t", columns, [[(b"1", b"ok", b"ok")]]) == 1


def test_an_error_of_the_rows_themselves_comes_through_and_keeps_nothing(target, columns):
    def batches():
        yield [(b"1", b"", b"")]
        raise OSError("the transform broke")

    with pytest.raises(OSError, match="the transform broke"):
        target.load("t", columns, batches())
    assert target.query("SELECT COUNT(*) FROM t") == [(b"0",)]


def test_rows_join_the_open_transaction(target, columns):
    target.execute("START TRANSACTION")
    target.load("t", columns, [[(b"1", b"", b"")]])
    target.execute("ROLLBACK")
    assert target.query("SELECT COUNT(*) FROM t") == [(b"0",)]


def test_rows_are_pulled_lazily(target, columns, mariadb):
    """The whole input never stands in memory: when the last batch is pulled, the first is at the server."""
    watcher = mariadb.endpoint().open_source()
    watcher.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED")
    seen = []

    def batches():
        for number in range(40):
            yield [(b"%d" % number, b"", b"x" * 1_000_000)]
        seen.append(int(watcher.query("SELECT COUNT(*) FROM t")[0][0]))

    assert target.load("t", columns, batches()) == 40
    assert seen[0] > 10


@pytest.mark.parametrize("bulk", [True, False])
def test_an_insert_row_beyond_max_allowed_packet(mariadb, bulk):
    session = mariadb.endpoint(local_infile=False, bulk=bulk).open_target()
    session.execute("CREATE OR REPLACE TABLE big (id INT PRIMARY KEY, v LONGBLOB)")
    columns = session.schema("big").table("big").columns
    with pytest.raises(TargetError, match=r"a row of big takes .*max_allowed_packet") as caught:
        session.load("big", columns, [[(b"1", b"x" * (65 << 20))]])
    assert "raise max_allowed_packet" in caught.value.way_out


def test_a_connection_cut_while_loading_is_lost_and_rolled_back(mariadb, target, columns):
    target.execute("START TRANSACTION")
    number = int(target.query("SELECT CONNECTION_ID()")[0][0])

    def batches():
        for start in range(300):
            yield [(b"%d" % (start * 10 + n), b"", b"x" * 20_000) for n in range(10)]
            if start == 50:
                mariadb.root(f"KILL {number}")

    with pytest.raises(ConnectionLost):
        target.load("t", columns, batches())
    assert mariadb.endpoint().open_source().query("SELECT COUNT(*) FROM t") == [(b"0",)]


def test_a_tunnel_cut_while_loading_is_lost_and_rolled_back(gateway, mariadb, target, columns):
    account = DatabaseAccount("cd_test", "cd", mariadb.password, f"127.0.0.1:{mariadb.port}")
    connected = connect_database(gateway.host(), account, transport="relay")
    try:
        session = connected.endpoint.open_target()
        session.execute("START TRANSACTION")

        def batches():
            for start in range(300):
                yield [(b"%d" % (start * 10 + n), b"", b"x" * 20_000) for n in range(10)]
                if start == 20:
                    gateway.cut_sessions()

        with pytest.raises(ConnectionLost):
            session.load("t", columns, batches())
        again = connected.endpoint.open_target()
        assert again.load("t", columns, [[(b"1", b"", b"")]]) == 1
    finally:
        connected.close()


def test_a_lock_wait_can_be_tried_again(mariadb, target, columns):
    other = mariadb.endpoint().open_target()
    other.execute("START TRANSACTION")
    other.execute("INSERT INTO t VALUES (1, '', '')")
    try:
        with pytest.raises(LockWaitError):
            target.execute("INSERT INTO t VALUES (1, '', '')")
    finally:
        other.close()


def test_a_reading_session_cannot_write(mariadb):
    source = mariadb.endpoint().open_source()
    with pytest.raises(SourceError, match="READ ONLY"):
        source.execute("DELETE FROM edge")
    with pytest.raises(SourceError):
        source.load("edge", (), [])


def test_a_stream_given_up_frees_the_session_at_once(mariadb):
    source = mariadb.endpoint().open_source()
    source.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
    stream = source.stream("SELECT seq, REPEAT('x', 1000) FROM seq_1_to_20000000")
    assert len(next(stream)) > 0
    begun = time.monotonic()
    stream.close()
    assert time.monotonic() - begun < 5
    assert source.query("SELECT @@in_transaction") == [(b"1",)]


def test_a_batch_is_bounded_in_bytes(mariadb):
    source = mariadb.endpoint().open_source()
    sizes = [
        sum(len(row[1]) for row in batch)
        for batch in source.stream("SELECT seq, REPEAT('x', 1000000) FROM seq_1_to_100 ORDER BY seq", batch_rows=2000)
    ]
    assert sum(sizes) == 100_000_000
    assert max(sizes) <= 9_500_000
    small = [len(batch) for batch in source.stream("SELECT seq FROM seq_1_to_5000", batch_rows=2000)]
    assert small == [2000, 2000, 1000]


def test_big_rows_behind_short_ones_come_one_by_one(mariadb):
    source = mariadb.endpoint().open_source()
    value = "IF(seq % 1000 > 990, REPEAT('x', 9000000), 'short')"
    batches = list(source.stream(f"SELECT seq, {value} FROM seq_1_to_1999"))
    assert [len(batch) for batch in batches][:3] == [991, 1, 1]
    assert max(sum(len(row[1]) for row in batch) for batch in batches) < 9_010_000
    assert [int(row[0]) for batch in batches for row in batch] == list(range(1, 2000))


def test_one_packet_of_several_statements(mariadb):
    for session in (mariadb.endpoint().open_source(), mariadb.endpoint().open_target()):
        outcomes = session.multi(["SELECT 1", ("SELECT %s", ["50% off; 'x'"]), "SET @a = 5", "SELECT @a"])
        assert [outcome.rows for outcome in outcomes] == [[(b"1",)], [(b"50% off; 'x'",)], [], [(b"5",)]]
        with pytest.raises((SourceError, TargetError), match="nope"):
            session.multi(["SELECT 1", "SELECT nope"])
        assert session.query("SELECT 2") == [(b"2",)]


@pytest.mark.parametrize("value", ['it\'s \\ "q" 😀 %s\n\x00\x1a', "", b"\xff\x00'\\", 5, -1, 0.1, 1e300, None, True])
def test_arguments_arrive_as_they_are(mariadb, value):
    expected = {type(None): None, bool: b"1", str: str(value).encode()}.get(type(value), value)
    for session in (mariadb.endpoint().open_source(), mariadb.endpoint().open_target()):
        got = session.query("SELECT %s", [value])[0][0]
        assert got == expected or float(got) == expected


def test_an_argument_of_an_unknown_type_is_refused():
    with pytest.raises(TypeError, match="list"):
        literal([1])


def test_schema_facts(mariadb):
    session = mariadb.endpoint().open_target()
    session.execute(
        "CREATE OR REPLACE TABLE f_posts (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, a INT,"
        " b VARCHAR(9) COLLATE utf8mb4_bin, UNIQUE KEY ab (b, a), KEY b (b)) AUTO_INCREMENT=77"
    )
    session.execute("CREATE OR REPLACE VIEW f_view AS SELECT a FROM f_posts")
    session.execute("CREATE OR REPLACE TRIGGER f_trigger BEFORE INSERT ON f_posts FOR EACH ROW SET NEW.a = 1")
    schema = mariadb.endpoint().open_source().schema("f\\_%")
    table = schema.table("f_posts")
    assert [t.name for t in schema.tables] == ["f_posts"]
    assert (table.engine, table.auto_increment, table.integer_key) == ("InnoDB", 77, "id")
    assert {key.name: (key.columns, key.unique) for key in table.keys} == {
        "PRIMARY": (("id",), True), "ab": (("b", "a"), True), "b": (("b",), False),
    }  # fmt: skip
    assert table.column("b").collation == "utf8mb4_bin"
    assert table.create_sql.startswith("CREATE TABLE `f_posts`")
    assert [(code.kind, code.name, code.table) for code in schema.stored_code] == [
        ("view", "f_view", ""), ("trigger", "f_trigger", "f_posts"),
    ]  # fmt: skip
    assert all(code.create_sql.startswith("CREATE") for code in schema.stored_code)


def test_server_facts_hold_no_password_hash(mariadb):
    facts = mariadb.endpoint().open_source().server(["max_allowed_packet", "no_such"])
    assert "MariaDB" in facts.version
    assert facts.variables == {"max_allowed_packet": str(64 << 20)}
    assert any("cd" in grant for grant in facts.grants)
    assert "*" not in "".join(facts.grants).replace("*.*", "").replace(".*", "")


def test_refusals_are_access_errors(mariadb):
    endpoint = mariadb.endpoint()
    for open_session in (lambda e: e.open_source(), lambda e: e.open_target()):
        with pytest.raises(AccessError, match="Access denied"):
            open_session(replace(endpoint, password=Masked("no")))
        with pytest.raises(AccessError, match="cd_none"):
            open_session(replace(endpoint, database="cd_none"))
        with pytest.raises(ConnectionLost):
            open_session(replace(endpoint, port=1))


def test_endpoint_is_picklable_and_keeps_its_secret(mariadb):
    endpoint = mariadb.endpoint()
    assert pickle.loads(pickle.dumps(endpoint)) == endpoint
    assert str(mariadb.password) not in f"{endpoint!r} {endpoint.place}"


def test_a_server_that_refuses_local_infile_gets_inserts(mariadb, columns):
    session = mariadb.endpoint(bulk=False).open_target()
    mariadb.root("SET GLOBAL local_infile=0")
    try:
        assert session.uses_local_infile
        session.execute("TRUNCATE t")
        assert session.load("t", columns, [[(b"1", b"", b"")]]) == 1
        assert not session.uses_local_infile
        assert not mariadb.endpoint().open_target().uses_local_infile
    finally:
        mariadb.root("SET GLOBAL local_infile=1")


def test_two_sessions_load_at_once(mariadb, target, columns):
    def load(first):
        session = mariadb.endpoint().open_target()
        starts = range(first, first + 5000, 100)
        session.load("t", columns, ([(b"%d" % (start + n), b"", b"") for n in range(100)] for start in starts))

    threads = [threading.Thread(target=load, args=(first,)) for first in (0, 100_000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert target.query("SELECT COUNT(*) FROM t") == [(b"10000",)]


def test_usual_rows_are_joined_and_odd_ones_escaped():
    assert b"".join(encode_fields([(b"1", b"a"), (b"2", None)])) == b"1\x1da\x1e2\x1d\x10N\x1e"
    assert b"".join(encode_fields([(b"\x10N", b"\x1d"), (None, b"\x1e")])) == (
        b"\x10\x10N\x1d\x10\x1d\x1e\x10N\x1d\x10\x1e\x1e"
    )


def test_what_else_a_database_stores_is_listed(mariadb):
    session = mariadb.endpoint().open_target()
    made = {"procedure": "() SELECT 1", "event": "ON SCHEDULE EVERY 1 DAY DO SELECT 1", "sequence": ""}
    try:
        for kind, body in made.items():
            session.execute(f"CREATE {kind.upper()} wp_a_{kind} {body}")
        found = {(code.kind, code.name) for code in session.schema("wp\\_a\\_%").stored_code}
        assert found == {(kind, f"wp_a_{kind}") for kind in made}
    finally:
        for kind in made:
            session.execute(f"DROP {kind.upper()} IF EXISTS wp_a_{kind}")
        session.close()
