"""What probes print becomes items and findings: whatever stands in it."""

from __future__ import annotations

import datetime
from datetime import UTC

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from crossdock.core.evidence import Finding, Level
from crossdock.core.inventory import Item
from crossdock.core.observed import DnsAnswer, Probed, ShownCertificate, VirtualHost
from crossdock.formats.web_hosts import apache_hosts, nginx_hosts
from crossdock.move.inventory import dns, front, jobs, mail, network, web
from crossdock.move.inventory.certificates import CertificateFile, read_certificates
from crossdock.move.inventory.disks import block_items, folder_items, mounts, volume_findings, volume_items
from crossdock.move.inventory.network import Port
from crossdock.move.inventory.observe import Observed, server_findings, server_items
from crossdock.move.inventory.words import masked, plain
from crossdock.move.items import items


def named(found: list[Item]) -> dict[str, Item]:
    return {item.name: item for item in found}


# -- words -----------------------------------------------------------------------------------------------------------


@given(st.text() | st.binary())
def test_every_word_becomes_one_printable_line(word: str | bytes) -> None:
    assert plain(word).isprintable()
    plain(word).encode("utf-8")


@pytest.mark.parametrize(
    "line",
    [
        "mysqldump -u shop -pS3cretWord shop > /backup/shop.sql",
        "mysqldump --password=S3cretWord shop",
        "mysqldump --password S3cretWord shop",
        "curl -u ada:S3cretWord https://erp.example/",
        "curl -H 'Authorization: Bearer S3cretWord' https://erp.example/",
        "wget 'https://erp.example/feed?id=7&token=S3cretWord'",
        "lftp ftp://ada:S3cretWord@erp.example/",
        'DB_PASS="S3cretWord" /opt/x',
        "API_KEY=S3cretWord run",
        "ping https://hc.example/0123456789abcdefS3cretWord0123456789abcdefX",
    ],
)
def test_a_command_is_told_without_its_secrets(line: str) -> None:
    told = masked(line)
    assert "S3cretWord" not in told
    assert told.split()[0].strip("\"'")[:4] == line.split()[0][:4]


def test_people_are_not_named() -> None:
    assert masked("mail -s x ada.berg@lumen.example") == "mail -s x ••••@lumen.example"
    assert masked("*/5 * * * * php /srv/www/wp-cron.php") == "*/5 * * * * php /srv/www/wp-cron.php"


# -- disks -----------------------------------------------------------------------------------------------------------


def test_mounts_with_their_space() -> None:
    table = Probed(
        b"proc /proc proc rw 0 0\n/dev/sda1 / ext4 rw 0 0\n/dev/sdb1 /srv/two\\040words\\012x ext4 rw 0 0\n"
        b"nas:/export /mnt/nas nfs4 rw 0 0\n/dev/sda1 /etc/hosts ext4 rw 0 0\nbroken\n"
    )
    space = Probed(
        b"0 /\nFilesystem 1024-blocks Used Available Capacity Mounted on\n/dev/sda1 1000 950 50 95% /\0"
        b"0 /srv/two\\040words\\012x\nFilesystem x\n/dev/sdb1 2000000 100 5 1% /srv/two words\nx 2000000 100 1 1% x\0"
        b"124 /mnt/nas\n\0"
    )
    found = {one.folder: one for one in mounts(table, space)}
    assert set(found) == {"/", "/srv/two words\\nx", "/mnt/nas"}
    assert (found["/"].size, found["/"].used) == (1_024_000, 972_800)
    assert found["/mnt/nas"].problem == "does not answer"
    told = named(list(volume_items("north", list(found.values()))))
    assert "95% used" in told["/"].text
    assert told["/mnt/nas"].data["is_network"] is True
    codes = [(one.code, one.place) for one in volume_findings("north", list(found.values()), [])]
    assert codes == [("volume.full", "north: /"), ("land.unreadable", "north: /mnt/nas")]


def test_a_volume_that_is_attached_but_mounted_nowhere() -> None:
    told = Probed(
        b'NAME="xvda" TYPE="disk" SIZE="107374182400" FSTYPE="" MOUNTPOINT="" PKNAME="" MODEL=""\n'
        b'NAME="xvda1" TYPE="part" SIZE="107374182400" FSTYPE="ext4" MOUNTPOINT="/" PKNAME="xvda" MODEL=""\n'
        b'NAME="xvdf" TYPE="disk" SIZE="53687091200" FSTYPE="xfs" MOUNTPOINT="" PKNAME="" MODEL="EBS \\"x\\""\n'
        b'NAME="loop0" TYPE="loop" SIZE="x" FSTYPE="squashfs" MOUNTPOINT="/snap/a" PKNAME="" MODEL=""\n'
    )
    found = list(block_items("north", told))
    assert [(one.kind, one.name) for one in found] == [("disk", "xvda"), ("disk", "xvdf"), ("volume", "/dev/xvdf")]
    assert [one.code for one in volume_findings("north", [], found)] == ["volume.unmounted"]


def test_folders_of_any_name() -> None:
    folders = Probed(b"/home\0//srv\0/data\0/srv/sh\nop\0/srv/\xff\0")
    sizes = Probed(b"0 2048 /data\0001 77 /srv/sh\nop\000124  /srv/\xff\0")
    told = named(list(folder_items("north", folders, sizes)))
    assert set(told) == {"/data", "/srv/sh\\nop", "/srv/\\udcff"}
    assert told["/data"].data == {"size_kib": 2048, "is_whole": True}
    assert "or more" in told["/srv/sh\\nop"].text
    assert "not known" in told["/srv/\\udcff"].text


# -- jobs ------------------------------------------------------------------------------------------------------------


def test_crontabs_of_every_form() -> None:
    system = (
        b"MAILTO=ada@lumen.example\n# note\n17 * * * * root cd / && run-parts /etc/cron.hourly\n@reboot root /opt/x\n"
    )
    answers = {
        "own_crontab": Probed(b"*/5 * * * * php /srv/wp-cron.php\n*/5 * * * * php /srv/wp-cron.php\nnot a line\n"),
        "crontabs": Probed(
            files=(("/etc/crontab", system), ("/var/spool/cron/crontabs/www", b"@daily /opt/y -pS3cret\n"))
        ),
        "cron_scripts": Probed(b"/etc/cron.daily/back\nup\0"),
        "timers": Probed(
            b"Id=certbot.timer\nUnit=certbot.service\nTimersCalendar={ OnCalendar=*-*-* 00,12:00:00 ; x }\n\n"
            b"Id=\nUnit=x\n"
        ),
        "at": Probed(b"7\tTue Jan  5 10:00:00 2027 a ada\n"),
    }
    found = jobs.job_items("north", answers)
    told = named(found)
    assert len(told) == len(found) == 8
    assert told["/etc/crontab 17 * * * * cd / && run-parts /etc/cron.hourly"].data["user"] == "root"
    assert "(own crontab) */5 * * * * php /srv/wp-cron.php #2" in told
    assert told["certbot.timer"].data["when"] == "Calendar *-*-* 00,12:00:00"
    assert "/etc/cron.daily/back\\nup" in told
    assert "ada" not in str([item.as_json() for item in found])
    assert "S3cret" not in str([item.as_json() for item in found])


def test_a_crontab_of_a_hundred_thousand_lines_is_one_item_more() -> None:
    text = b"".join(b"%d * * * * /opt/job%d\n" % (number % 60, number) for number in range(100_000))
    found = jobs.job_items("north", {"own_crontab": Probed(text)})
    assert len(found) == 201
    assert found[-1].data["count"] == 99_800


# -- network ---------------------------------------------------------------------------------------------------------

LISTENING = Probed(
    b'tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:(("sshd",pid=1,fd=3))\n'
    b'tcp LISTEN 0 80 127.0.0.1:3306 0.0.0.0:* users:(("mariadbd",pid=2,fd=9))\n'
    b"tcp LISTEN 0 511 [::]:443 [::]:*\n"
    b'tcp LISTEN 0 511 127.0.0.1:6379 0.0.0.0:* users:(("red\\"is",pid=3,fd=1))\n'
    b"udp UNCONN 0 0 0.0.0.0:51820 0.0.0.0:*\nnonsense\n"
)


def test_ports_and_peers() -> None:
    found = network.ports(LISTENING, Probed())
    assert [(one.address, one.port, one.program) for one in found] == [
        ("0.0.0.0", 22, "sshd"), ("127.0.0.1", 3306, "mariadbd"), ("::", 443, ""), ("127.0.0.1", 6379, 'red\\"is'),
    ]  # fmt: skip
    assert [one.is_local for one in found] == [False, True, False, True]
    connections = Probed(
        b'0 0 10.0.0.5:443 198.51.100.9:55001 users:(("nginx",pid=7,fd=8))\n'
        b'0 0 10.0.0.5:51000 203.0.113.20:22 users:(("php-fpm",pid=9,fd=8))\n'
        b'0 0 10.0.0.5:51001 203.0.113.20:22 users:(("php-fpm",pid=9,fd=9))\n'
        b"0 0 127.0.0.1:51002 127.0.0.1:3306\n0 0 [::ffff:10.0.0.5]:51003 [::ffff:203.0.113.21]:443\n"
    )
    far = network.peers(connections, found)
    assert [(one.address, one.port, one.connections) for one in far] == [
        ("203.0.113.20", 22, 2), ("203.0.113.21", 443, 1),
    ]  # fmt: skip
    assert [item.name for item in network.peer_items("north", far)] == ["203.0.113.20:22", "203.0.113.21:443"]
    assert [item.name for item in network.cache_items("north", Probed(b"varnishd\n"), found)] == ["redis", "varnish"]


def test_without_ss_the_kernel_tells_the_ports() -> None:
    table = Probed(
        b"  sl  local_address rem_address   st tx_queue\n"
        b"   0: 0100007F:0CEA 00000000:0000 0A 00000000:00000000\n"
        b"   1: 0500000A:01BB 09643364:D6D9 01 00000000:00000000\n"
        b"   2: 00000000000000000000000000000000:0050 0000:0000 0A 0\n   3: XYZ:1 0:0 0A\n"
    )
    found = [(one.address, one.port) for one in network.ports(Probed(problem="ss is not there"), table)]
    assert found == [("127.0.0.1", 3306), ("::", 80)]


def test_rules_that_name_addresses_of_others() -> None:
    firewall = Probed(
        b"-A INPUT -s 203.0.113.0/24 -p tcp -m tcp --dport 22 -j ACCEPT\n-A INPUT -s 127.0.0.0/8 -j ACCEPT\n"
        b"-A INPUT -p tcp --dport 80 -j ACCEPT\n  ip6 saddr 2001:db8::/32 accept\n  ip saddr 0.0.0.0/0 accept\n",
        files=(("/etc/hosts.allow", b"# 198.51.100.1\nsshd: 198.51.100.7\n"),),
    )
    hosts = (VirtualHost(("shop.example",), allowed=("all", "192.0.2.9", "127.0.0.1")),)
    found = network.address_rules(firewall, hosts)
    assert [one.addresses for one in found] == [
        ("203.0.113.0/24",), ("2001:db8::/32",), ("198.51.100.7",), ("192.0.2.9",),
    ]  # fmt: skip


# -- web -------------------------------------------------------------------------------------------------------------


def test_sites_of_nginx_and_apache() -> None:
    text = """# configuration file /etc/nginx/nginx.conf:
http { upstream x { server 10.0.0.1:80; } include sites-enabled/*; }
# configuration file /etc/nginx/sites-enabled/shop.conf:
server { listen 443 ssl; server_name Shop.example www.shop.example; root /srv/shop/;
  ssl_certificate /etc/ssl/shop.pem; ssl_certificate_key /etc/ssl/shop.key;
  location /admin { allow 203.0.113.7; deny all; } location /erp { proxy_pass http://10.0.0.9:8080; } }
server { listen 80 default_server; server_name _; return 301 https://shop.example; }
server { listen 81; server_name "broken
"""
    shop, default, *_ = nginx_hosts(text)
    assert shop == VirtualHost(
        ("shop.example", "www.shop.example"), "/srv/shop", ("443",), ("/etc/ssl/shop.pem",), ("http://10.0.0.9:8080",),
        ("203.0.113.7",), "/etc/nginx/sites-enabled/shop.conf",
    )  # fmt: skip
    assert (default.names, default.root) == ((), "")
    apache = """<VirtualHost *:443>
  ServerName https://Old.example:443
  ServerAlias a.old.example \\
     b.old.example
  # ServerName no.example
  DocumentRoot "/srv/old one"
  SSLCertificateFile /etc/ssl/old.pem
  <Directory "/srv/old one">
    Require ip 198.51.100.0/24
  </Directory>
</VirtualHost>
ServerName outside.example
"""
    [old] = apache_hosts([("/etc/apache2/sites-enabled/old.conf", apache)])
    assert old.names == ("old.example", "a.old.example", "b.old.example")
    assert (old.root, old.certificates, old.allowed) == ("/srv/old one", ("/etc/ssl/old.pem",), ("198.51.100.0/24",))


def test_php_and_its_pools() -> None:
    cli = b'PHP Warning: x\n{"version":"8.2.7","limits":{"memory_limit":"512M"},"extensions":["Core","gd"]}'
    fpm = b"PHP Version => 8.2.7\nmemory_limit => 256M => 128M\n[PHP Modules]\ngd\n"
    answers = {
        "php": Probed(cli),
        "fpm": Probed(files=(("/usr/sbin/php-fpm8.2", fpm),)),
        "pools": Probed(
            files=(("/etc/php/8.2/fpm/pool.d/www.conf",
                    b"[global]\nx=1\n[www]\nlisten = /run/php.sock\npm.max_children = 5\nenv[DB_PASSWORD] = S3cret\n"
                    b"php_admin_value[memory_limit] = 64M\n"),)
        ),
    }  # fmt: skip
    found = named(web.web_items("north", answers, ()))
    assert found["cli"].data["extensions"] == ["core", "gd"]
    assert found["php-fpm8.2"].data["limits"]["memory_limit"] == "256M"
    assert found["www"].data["settings"] == {
        "listen": "/run/php.sock", "pm.max_children": "5", "php_admin_value[memory_limit]": "64M",
    }  # fmt: skip
    assert "S3cret" not in str([one.as_json() for one in found.values()])


def test_installs_and_databases_beside_the_known_ones() -> None:
    told = Probed(b"/srv/shop/wp-includes/version.php\x006.8\n\0/srv/ol\nd/wp-includes/version.php\x004.9\n\0!1\0\0")
    found, problem = web.installs(told)
    assert found == {"/srv/shop": "6.8", "/srv/ol\\nd": "4.9"}
    assert problem == "some folders can't be read"
    [other] = web.install_items("north", found, "/srv/shop/", ())
    assert (other.name, other.data["version"]) == ("/srv/ol\\nd", "4.9")
    rows = web.databases(Probed(b"shop\t60\t1000\nold\t3\tNULL\nmysql\t1\t1\ngarbage\n"))
    assert [item.name for item in web.database_items("north", rows, "shop")] == ["old"]


# -- names -----------------------------------------------------------------------------------------------------------


def answers(*records: tuple[str, str, tuple[str, ...]], ttl: int = 300) -> dict[tuple[str, str], DnsAnswer]:
    told = {one: DnsAnswer(*one) for one in dns.questions(["www.shop.example"], ["own"])}
    return told | {(name, kind): DnsAnswer(name, kind, values, ttl) for name, kind, values in records}


def codes(found: list[Finding]) -> dict[str, str]:
    return {one.code: str(one.level) for one in found}


def judged(*records: tuple[str, str, tuple[str, ...]], ttl: int = 300, own: tuple[str, ...] = ()) -> dict[str, Finding]:
    found = dns.findings(
        ["www.shop.example"], answers(*records, ttl=ttl), selectors=["own"], ttl_high_seconds=3600,
        own={"www.shop.example": own},
    )  # fmt: skip
    return {one.code: one for one in found}


ADDRESS = ("www.shop.example", "A", ("9.9.9.9",))


@pytest.mark.parametrize(
    ("record", "level", "text"),
    [
        ((), "warn", "no SPF"),
        (("v=spf1 a -all", "v=spf1 mx -all"), "warn", "2 SPF records"),
        (("v=spf1 +all",), "warn", "every server"),
        (("v=spf1 ip4:192.0.2.1",), "warn", "says nothing"),
        (("v=spf1 " + " ".join(f"include:s{number}.example" for number in range(11)) + " -all",), "warn", "look-ups"),
        (("V=SPF1 ip4:192.0.2.1 -ALL", "google-site-verification=x"), "info", "names 1 addresses"),
        (("v=spf1 redirect=_spf.example",), "info", "names 0"),
        (("v=spf10 -all",), "warn", "no SPF"),
    ],
)
def test_spf(record: tuple[str, ...], level: str, text: str) -> None:
    found = judged(ADDRESS, ("shop.example", "TXT", record))["mail.spf"]
    assert (str(found.level), text in found.text) == (level, True), found.text


@pytest.mark.parametrize(
    ("record", "level", "text"),
    [
        ((), "warn", "no DMARC"),
        (("v=DMARC1; p=none",), "warn", "only watches"),
        (("v=DMARC1; p=reject", "v=DMARC1; p=none"), "warn", "2 DMARC"),
        (("v=DMARC1; p=often",), "warn", "no p="),
        (("v=DMARC1; p=quarantine",), "info", "quarantine"),
    ],
)
def test_dmarc(record: tuple[str, ...], level: str, text: str) -> None:
    found = judged(ADDRESS, ("_dmarc.shop.example", "TXT", record))["mail.dmarc"]
    assert (str(found.level), text in found.text) == (level, True), found.text


def test_dkim_by_our_own_selector_and_a_withdrawn_key() -> None:
    good = judged(ADDRESS, ("own._domainkey.shop.example", "TXT", ("v=DKIM1; k=rsa; p=MIIB",)))["mail.dkim"]
    assert (good.level, good.data["selectors"]) == (Level.INFO, ["own"])
    withdrawn = judged(ADDRESS, ("google._domainkey.shop.example", "TXT", ("v=DKIM1; p=",)))["mail.dkim"]
    assert (withdrawn.level, withdrawn.text) == (Level.WARN, "only withdrawn DKIM keys")


def test_what_will_be_in_the_way_of_a_switch() -> None:
    found = judged(ADDRESS, ("shop.example", "CAA", ('0 issue "x"',)), ttl=86_400, own=("8.8.8.8",))
    assert found["dns.ttl-high"].data["ttl_seconds"] == 86_400
    assert "25 hours" in found["dns.ttl-high"].way_out
    assert {"dns.elsewhere", "dns.caa"} <= set(found)
    assert "dns.elsewhere" not in judged(ADDRESS, own=("9.9.9.9",))
    assert "dns.elsewhere" not in judged(ADDRESS, own=("10.0.0.5",)), "a server behind NAT knows no public address"
    assert "dns.missing" in judged()


def test_a_silent_resolver_is_one_finding_and_judges_nobody() -> None:
    told = {
        one: DnsAnswer(*one, problem="no resolver answers in time") for one in dns.questions(["www.shop.example"], [])
    }
    found = list(dns.findings(["www.shop.example"], told, selectors=[], ttl_high_seconds=60, own={}))
    assert [one.code for one in found] == ["dns.unreadable"]


def test_mail_of_a_name_below_another_inherits_its_policy() -> None:
    told = {one: DnsAnswer(*one) for one in dns.questions(["fr.shop.example"], [])}
    told["_dmarc.shop.example", "TXT"] = DnsAnswer("_dmarc.shop.example", "TXT", ("v=DMARC1; p=none; sp=reject",), 60)
    found = {
        one.code: one for one in dns.findings(["fr.shop.example"], told, selectors=[], ttl_high_seconds=60, own={})
    }
    assert found["mail.dmarc"].data == {"policy": "reject"}


def test_a_front_page_tells_what_stands_before_it() -> None:
    headers = {"server": "cloudflare", "cf-ray": "1", "x-cache": "HIT", "strict-transport-security": "max-age=31536000"}
    found = {item.kind: item for item in front.front_items("north", "shop.example", 200, headers)}
    assert found["cdn"].name == "shop.example: Cloudflare"
    assert set(found) == {"cdn", "page-cache", "header-rules"}
    assert [one.code for one in front.front_findings("shop.example", headers, "")] == ["front.hsts"]
    assert list(front.front_items("north", "shop.example", 200, {"server": "nginx"})) == []


def certificate(days: int) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop.example")])
    now = datetime.datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=400))
        .not_valid_after(now + datetime.timedelta(days=days, hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("shop.example"), x509.DNSName("*.shop.example")]), False
        )
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def test_certificates_in_files() -> None:
    told = Probed(
        files=(
            ("/etc/ssl/a.pem", certificate(5) + certificate(900)),
            ("/etc/ssl/b.pem", certificate(-3)),
            ("/etc/ssl/c.pem", b"-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n"),
            ("/etc/ssl/d.pem", b"-----BEGIN PRIVATE KEY-----\n"),
            ("/etc/ssl/e.pem", certificate(200)),
        )
    )
    found = read_certificates(told)
    assert found[0].shown.names == ("shop.example", "*.shop.example")
    texts = {one.place: [finding.text for finding in one.findings("north")] for one in found}
    assert texts["/etc/ssl/a.pem"] == ["ends in 5 days"]
    assert texts["/etc/ssl/b.pem"] == ["ended 3 days ago"]
    assert "can't be read" in texts["/etc/ssl/c.pem"][0]
    assert texts["/etc/ssl/d.pem"] == ["not known: no certificate in this file"]
    assert texts["/etc/ssl/e.pem"] == []
    untrusted = CertificateFile("shop.example (served)", ShownCertificate(problem="self-signed"), is_served=True)
    assert [one.code for one in untrusted.findings("north")] == ["certificate.untrusted"]


# -- all of it -------------------------------------------------------------------------------------------------------


def test_what_could_not_be_read_says_which_right_is_missing() -> None:
    told = {
        "system": Probed(b"uid=1000\n"),
        "firewall": Probed(problem="only root may read its rules"),
        "ports": Probed(problem="ss is not there"),
        "space": Probed(problem="hung: nothing came for 45 s"),
        "hosts": Probed(b"203.0.113.9 erp.lumen.example erp # the ERP\n127.0.0.1 localhost\n"),
    }
    seen = Observed("north", told)
    found = {one.place: one for one in server_findings(seen)}
    assert set(found) == {"north: firewall", "north: ports", "north: space"}
    assert all((one.code, one.level) == ("land.unreadable", Level.WARN) for one in found.values())
    assert "sudo" in found["north: firewall"].way_out
    assert "iproute2" in found["north: ports"].way_out
    assert "mounts" in found["north: space"].way_out
    assert "203.0.113.9 erp.lumen.example erp" in {
        item.name for item in server_items(seen) if item.kind == "hosts-entry"
    }


@given(st.dictionaries(st.sampled_from(sorted({"mounts", "space", "ports", "peers", "nginx", "crontabs", "hosts", "php",
       "installs", "folders", "sizes", "timers", "blocks", "databases", "system", "certificates", "firewall"})),
       st.binary(max_size=300)))  # fmt: skip
def test_no_answer_of_a_server_breaks_anything(told: dict[str, bytes]) -> None:
    seen = Observed("north", {name: Probed(out, files=(("/x\n", out),)) for name, out in told.items()})
    found = server_items(seen)
    assert all(one.name.isprintable() and one.text.isprintable() for one in found)
    assert len(items(found)) == len({one.key for one in found})
    list(server_findings(seen))


def test_each_thing_is_told_once_in_order() -> None:
    one, other = Item("port", "north", "b", "first"), Item("port", "north", "a", "x")
    assert items([one], [other, Item("port", "north", "b", "second")]) == [other, one]


def test_a_relay_without_its_password() -> None:
    told = Probed(b"postfix.relayhost=[smtp.relay.example]:587\npostfix.myhostname=north\nmsmtp.host=x\n")
    found = named(list(mail.relay_items("north", told)))
    assert found["postfix"].data["relay"] == "[smtp.relay.example]:587"
    assert named(list(mail.relay_items("north", Probed(b"postfix.relayhost=\n"))))["postfix"].data["relay"] == ""
    assert Port("tcp", "::1", 1).is_local
