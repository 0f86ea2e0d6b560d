"""Who becomes whom."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.wordpress.people import Directory, People, Placement, SourceUser, enter, login_key, place

HEADROOM = 1000


def user(number: int, login: str = "", email: str = "", nicename: str = "") -> SourceUser:
    return SourceUser(number, login or f"u{number}", nicename or login or f"u{number}", email)


def put(directory: Directory, server: str, base: int, *users: SourceUser, merge: bool = True) -> dict[int, Placement]:
    made = place(users, directory, server=server, base=base, headroom=HEADROOM, merge=merge)
    return {one.source_id: one for one in made}


def test_the_same_address_is_one_person_whatever_its_case_and_login() -> None:
    directory = Directory()
    put(directory, "north", 1000, user(1, "ada", "Ada@Lumen.example "))
    made = put(directory, "south", 2000, user(7, "ada.berg", "ada@lumen.EXAMPLE"))
    assert (made[7].merged, made[7].target_id) == (True, 1001)


def test_the_same_login_with_another_address_is_renamed() -> None:
    directory = Directory()
    put(directory, "north", 1000, user(1, "admin", "a@x.example"))
    made = put(directory, "south", 2000, user(1, "Admin", "b@x.example"))
    assert made[1] == Placement(1, 2001, False, "Admin-south", "Admin-south", made[1].reason)


def test_an_accent_is_no_other_login_for_the_database() -> None:
    directory = Directory()
    put(directory, "north", 1000, user(1, "jose"), user(2, "strasse"), user(3, "bjorn"))
    made = put(directory, "south", 2000, user(1, "José"), user(2, "straße"), user(3, "Bjørn"), user(4, "josy"))
    assert sorted(made) == [1, 2, 3]


def test_names_that_one_server_has_lived_with_stay() -> None:
    assert put(Directory(), "north", 1000, user(1, "jose"), user(2, "josé"), user(3, "Jose")) == {}


def test_nobody_is_merged_without_an_address_or_by_the_other_policy() -> None:
    directory = Directory()
    put(directory, "north", 1000, user(1, "a", ""), user(2, "b", "b@x.example"))
    assert put(directory, "south", 2000, user(1, "c", " "), user(2, "d", "b@x.example"), merge=False) == {}


def test_two_users_of_one_server_are_never_one_person() -> None:
    directory = Directory()
    put(directory, "north", 1000, user(1, "a", "x@x.example"))
    made = put(directory, "south", 2000, user(5, "b", "x@x.example"), user(3, "c", "x@x.example"))
    assert {number: one.target_id for number, one in made.items() if one.merged} == {3: 1001}
    assert put(directory, "east", 3000, user(9, "z", "x@x.example"))[9].target_id == 1001


def test_the_hosts_own_accounts_are_never_merged_into_but_keep_their_names() -> None:
    directory = Directory(logins={login_key("admin")}, nicenames={login_key("admin")})
    made = put(directory, "north", 1000, user(1, "admin", "host@x.example"))
    assert not made[1].merged
    assert made[1].login == "admin-north"


@given(st.text("abéñ ø", min_size=0, max_size=60), st.text("abcdefghij-0", min_size=1, max_size=64))
def test_a_new_name_fits_its_column_and_is_free(name: str, server: str) -> None:
    directory = Directory()
    put(directory, "north", 1000, user(1, name or "-", nicename=name[:50] or "-"))
    others = [user(n, f"x{n}", nicename=f"x{n}") for n in range(2, 5)]
    made = put(directory, server, 2000, user(1, name or "-", nicename=name[:50] or "-"), *others)
    assert 0 < len(made[1].login) <= 60
    assert 0 < len(made[1].nicename) <= 50
    assert login_key(made[1].login) != login_key(name or "-")


def test_a_new_name_is_not_another_own_users_name() -> None:
    directory = Directory()
    put(directory, "north", 1000, user(1, "ada"))
    assert put(directory, "south", 2000, user(1, "ada"), user(2, "ada-south"))[1].login == "ada-south2"


def test_long_names_that_differ_at_their_end_only_stay_different() -> None:
    names = [f"{'x' * 48}{end}" for end in "abc"]
    directory = Directory()
    put(directory, "north", 1000, *(user(n, name) for n, name in enumerate(names, 1)))
    made = put(directory, "south", 2000, *(user(n, name) for n, name in enumerate(names, 1)))
    assert len({one.login for one in made.values()}) == len({one.nicename for one in made.values()}) == 3


def test_numbers_that_are_no_users_are_refused() -> None:
    for number in (0, HEADROOM, HEADROOM + 5):
        with pytest.raises(ValueError, match="headroom"):
            put(Directory(), "north", 1000, user(number))
    assert put(Directory(), "north", 1000, user(HEADROOM - 1)) == {}


EMAILS = st.sampled_from(["", "a@x", "A@X", "b@x", "c@x", "d@x"])
LOGINS = st.sampled_from(["ann", "Ann", "änn", "bob", "cid", "dan", "dan-s1", "dan-s2"])
SERVER = st.lists(st.tuples(st.integers(1, HEADROOM - 1), LOGINS, EMAILS), unique_by=lambda one: one[0], max_size=8)


@given(st.lists(SERVER, min_size=1, max_size=3))
def test_the_map_is_one_to_one_within_a_server_and_names_are_one_across_servers(
    servers: list[list[tuple[int, str, str]]],
) -> None:
    directory = Directory()
    owners: dict[str, set[int]] = {}
    emails: dict[int, str] = {}
    for at, rows in enumerate(servers):
        users = [user(*row) for row in rows]
        made = put(directory, f"s{at}", (at + 1) * HEADROOM, *users)
        again = {one.source_id: one for one in made.values()}
        merged = {number: one.target_id for number, one in again.items() if one.merged}
        people = People((at + 1) * HEADROOM, merged)
        targets = [people.target_id(one.id) for one in users]
        assert len({*targets}) == len(targets)
        for one in users:
            placed = again.get(one.id)
            if placed is not None and placed.merged:
                assert emails[placed.target_id] == one.email.lower()
                continue
            emails[people.target_id(one.id)] = one.email.lower()
            owners.setdefault(login_key(placed.login if placed else one.login), set()).add(at)
    assert all(len(one) == 1 for one in owners.values())


@given(st.lists(SERVER, min_size=3, max_size=3))
def test_a_run_that_goes_on_decides_as_one_that_never_stopped(servers: list[list[tuple[int, str, str]]]) -> None:
    rows = [[user(*row) for row in one] for one in servers]
    whole = Directory()
    decided = [put(whole, f"s{at}", (at + 1) * HEADROOM, *users) for at, users in enumerate(rows)]
    resumed = Directory()
    for at in (0, 1):
        # What is written is read again, whatever order the users come in now.
        enter(reversed(rows[at]), decided[at].values(), resumed, base=(at + 1) * HEADROOM)
    assert put(resumed, "s2", 3 * HEADROOM, *reversed(rows[2])) == decided[2]
    assert resumed == whole


def test_guests_stay_guests() -> None:
    people = People(1000, {3: 77})
    assert [people.target_id(one) for one in (0, -1, 3, 4)] == [0, -1, 77, 1004]
