"""Users: staff in every role, the people whom several stores know in awkward ways, and crowds of shoppers."""

from __future__ import annotations

import random
from dataclasses import dataclass
from hashlib import sha256

from crossdock.lab.data.php import json_escaped, serialize
from crossdock.lab.data.sink import literal
from crossdock.lab.data.wording import CITIES, FIRST_NAMES, LAST_NAMES, STREETS
from crossdock.lab.data.world import FAR_FUTURE, TIME_BASE, Member, World, stamp

USER = (
    "ID,user_login,user_pass,user_nicename,user_email,user_url,user_registered,user_activation_key,user_status,"
    "display_name"
)
LEVELS = {"administrator": 10, "editor": 7, "shop_manager": 9, "author": 2, "contributor": 1}
# "lumen-lab" in the three forms that WordPress has written over the years: phpass, plain bcrypt, pre-hashed bcrypt.
PASSWORDS = (
    "$P$Brup8t.vbOPAl8CcTD4f.0PsVQvqr6.",
    "$2y$10$CqMz6FQyXLg0p/cuxnpUE.pu4qWm5whXrGlcLMsl0nTQdDiqcPk7q",
    "$wp$2y$10$oTgEylTclB3WqGVERXBjl.mFIETi4h9qsfjDHQcaHydyP5ZVengCi",
)


@dataclass(frozen=True)
class Character:
    """One person of the story in one store."""

    login: str
    email: str
    first_name: str
    last_name: str
    role: str


# What each store knows. The same human is the same line number in the comment behind it.
STORY: dict[str, tuple[Character, ...]] = {
    "north": (
        Character("ada", "ada@lumen.example", "Ada", "Berg", "administrator"),  # 1 same login and e-mail everywhere
        Character("bo", "bo@lumen.example", "Bo", "Lind", "editor"),  # 2 same e-mail, other login
        Character("chris", "chris@north-mail.example", "Chris", "North", "author"),  # same login, two humans
        Character("Dora", "Dora.Klein@Mail.Example", "Dora", "Klein", "customer"),  # 3 letter case differs
        Character("till-north", "", "Till", "North", "shop_manager"),  # no e-mail: never the same as another
        Character("eve@lumen.example", "eve@lumen.example", "Eve", "O'Brian", "customer"),  # 4 login is an e-mail
        Character("info", "info@www.north.example", "Info", "Desk", "contributor"),
    ),
    "south": (
        Character("ada", "ada@lumen.example", "Ada", "Berg", "shop_manager"),  # 1
        Character("bo.lind", "bo@lumen.example", "Bo", "Lind", "customer"),  # 2
        Character("chris", "chris@south-mail.example", "Chris", "South", "customer"),
        Character("dora", "dora.klein@mail.example", "Dora", "Klein", "customer"),  # 3
        Character("till-south", "", "Till", "South", "shop_manager"),
        Character("γιάννης", "yannis@lumen.example", "Γιάννης", "Παπαδόπουλος", "author"),
        Character("info", "info@south.example", "Info", "Desk", "subscriber"),
    ),
    "east": (
        Character("ada", "ada@lumen.example", "Ada", "Berg", "administrator"),  # 1
        Character("blind", "BO@lumen.example", "Bo", "Lind", "contributor"),  # 2, by case too
        Character("chris", "chris@east-mail.example", "Chris", "Öst", "editor"),
        Character("eve", "eve@lumen.example", "Eve", "O'Brian", "subscriber"),  # 4
        Character("umlaut", "jörg@lumen.example", "Jörg", "Strauß", "author"),
        Character("info", "info@east.example", "Info", "Desk", "customer"),
    ),
    "east-fr": (
        Character("ada", "ada@lumen.example", "Ada", "Berg", "administrator"),  # 1, already known to the network
        Character("chloe", "chloe@lumen.example", "Chloé", "Moreau", "editor"),
        Character("eve", "eve@lumen.example", "Eve", "O'Brian", "customer"),  # 4, a subscriber on blog 1
    ),
}


def fill_people(world: World) -> None:
    """Users and their metas; leaves `world.members`, customers' addresses included."""
    chance = world.chance("people")
    known = {str(login).lower(): int(number) for number, login in world.rows(
        f"SELECT ID, user_login FROM `{world.table('users')}`"
    )}  # fmt: skip
    cast = list(STORY[world.store.slug]) + _shoppers(world, chance)
    for index, character in enumerate(cast):
        user_id = known.get(character.login.lower())
        fresh = user_id is None
        member = Member(
            user_id or world.take("users"), character.login, character.email, character.first_name,
            character.last_name, character.role,
        )  # fmt: skip
        if fresh:
            _add_user(world, member, index)
        _add_metas(world, member, index, fresh, chance)
        world.members.append(member)
    _admin_metas(world)


def _shoppers(world: World, chance: random.Random) -> list[Character]:
    """A crowd of customers; its last fifth is the next store's first fifth."""
    count = world.size.shoppers
    start = world.store.position * max(1, count - max(1, count // 5))
    crowd = []
    for number in range(start, start + count):
        # An odd shopper of the shared fifth took another login in each store.
        login = f"shopper{number}" if number % 2 == 0 else f"{world.store.server}-shopper{number}"
        names = random.Random(number)  # the same human has the same name in each store
        crowd.append(
            Character(login, f"shopper{number}@mail.example", names.choice(FIRST_NAMES), names.choice(LAST_NAMES),
                      "subscriber" if chance.random() < 0.03 else "customer")
        )  # fmt: skip
    return crowd


def _add_user(world: World, member: Member, index: int) -> None:
    nicename = "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in member.login.lower())[:50]
    own_page = f"{world.store.url}/team/{nicename}/" if index % 5 == 0 else ""
    key = f"{TIME_BASE - 90_000}:$P$BrXpxW8tTzbEzjWHOqFlDXUrUlGQOv." if index % 7 == 3 else ""
    world.add(
        "users", USER, member.user_id, member.login, PASSWORDS[index % 3], nicename or f"u{member.user_id}",
        member.email, own_page, stamp(TIME_BASE - 86_400 * (900 - index % 800)), key, 0,
        f"{member.first_name} {member.last_name}",
    )  # fmt: skip


def _add_metas(world: World, member: Member, index: int, fresh: bool, chance: random.Random) -> None:
    prefix = world.prefix
    if fresh:
        world.user_meta(member.user_id, _profile(member, index))
    world.user_meta(
        member.user_id,
        {f"{prefix}capabilities": {member.role: True}, f"{prefix}user_level": LEVELS.get(member.role, 0)},
    )
    if member.role == "customer" or index < 4:
        member.address = _address(world, member, chance)
        if fresh:
            world.user_meta(member.user_id, _address_metas(member))
        world.user_meta(member.user_id, {f"_woocommerce_persistent_cart_{world.blog}": _cart(index)})
    if member.role not in ("customer", "subscriber"):
        world.user_meta(member.user_id, _editor_metas(world, fresh))
    if fresh and index % 4 == 0:
        world.user_meta(member.user_id, {"session_tokens": _sessions(member)})


def _profile(member: Member, index: int) -> dict[str, object]:
    return {
        "nickname": member.login,
        "first_name": member.first_name,
        "last_name": member.last_name,
        "description": "Likes rain 🌧️ and quiet." if index % 6 == 0 else "",
        "rich_editing": "true",
        "syntax_highlighting": "true",
        "comment_shortcuts": "false",
        "admin_color": "fresh",
        "use_ssl": "0",
        "show_admin_bar_front": "true",
        "locale": "de_AT" if index % 9 == 0 else "",
        "dismissed_wp_pointers": "",
    }


def _address(world: World, member: Member, chance: random.Random) -> dict[str, str]:
    city, postcode = chance.choice(CITIES)
    return {
        "first_name": member.first_name,
        "last_name": member.last_name,
        "company": "" if chance.random() < 0.8 else "Lumen & Söhne",
        "address_1": f"{chance.choice(STREETS)} {chance.randint(1, 120)}",
        "address_2": "",
        "city": city,
        "state": "",
        "postcode": postcode,
        "country": world.store.country,
        "email": member.email or f"till@{world.store.bare_host}",
        "phone": f"+46 70 {chance.randint(100, 999)} {chance.randint(10, 99)}",
    }


def _address_metas(member: Member) -> dict[str, str]:
    billing = {f"billing_{key}": value for key, value in member.address.items()}
    shipping = {f"shipping_{key}": value for key, value in member.address.items() if key != "email"}
    return {**billing, **shipping, "wc_last_active": str(TIME_BASE - 86_400)}


def _cart(index: int) -> dict[str, object]:
    if index % 2:
        return {"cart": []}
    key = sha256(str(index).encode()).hexdigest()[:32]
    return {"cart": {key: {"key": key, "product_id": 1, "variation_id": 0, "variation": [], "quantity": 1}}}


def _editor_metas(world: World, fresh: bool) -> dict[str, object]:
    prefix = world.prefix
    preferences = {
        "core": {"isComplementaryAreaVisible": True, "openPanels": ["post-status"]},
        "core/edit-post": {"welcomeGuide": False},
        "_modified": "2025-11-20T09:15:00.000Z",
    }
    per_blog: dict[str, object] = {
        f"{prefix}user-settings": "libraryContent=browse&editor=tinymce&hidetb=1",
        f"{prefix}user-settings-time": str(TIME_BASE - 9_000),
        f"{prefix}dashboard_quick_press_last_post_id": "1",
        f"{prefix}persisted_preferences": preferences,
        f"{prefix}media_library_mode": "grid",
    }
    everywhere: dict[str, object] = {
        "meta-box-order_dashboard": {"normal": "dashboard_right_now", "side": "dashboard_quick_press"},
        "metaboxhidden_nav-menus": ["add-post-type-product", "add-product_tag"],
        "nav_menu_recently_edited": "1",
        "primary_blog": "1",
        "source_domain": world.store.host,
        "_avatar_source": json_escaped({"url": f"{world.store.url}{world.store.uploads}/2025/03/photo-1.jpg"}),
    }
    return {**per_blog, **everywhere} if fresh else per_blog


def _sessions(member: Member) -> str:
    token = sha256(f"session:{member.login}".encode()).hexdigest()
    return serialize(
        {token: {"expiration": FAR_FUTURE, "ip": "203.0.113.7", "ua": "Mozilla/5.0 (X11)", "login": TIME_BASE}}
    )


def _admin_metas(world: World) -> None:
    """The administrator whom the installation made gets what an administrator gathers."""
    row = world.rows(
        f"SELECT ID, user_login, user_email FROM `{world.table('users')}` WHERE ID = 1 AND user_login <> {literal('')}"
    )
    if not row:
        return
    admin = Member(1, str(row[0][1]), str(row[0][2]), "Admin", "Istrator", "administrator")
    world.user_meta(1, {f"{world.prefix}user-settings": "mfold=o", f"{world.prefix}user-settings-time": TIME_BASE})
    if world.blog == 1:
        world.user_meta(1, {"session_tokens": _sessions(admin)})


def customers(world: World) -> list[Member]:
    return [member for member in world.members if member.address]
