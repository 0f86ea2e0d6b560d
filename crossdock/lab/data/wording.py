"""Texts: names and words in several scripts, and every form in which a store's own address turns up in data."""

from __future__ import annotations

import random
from urllib.parse import quote

from crossdock.lab.data.php import json_escaped
from crossdock.lab.data.profiles import StoreProfile

FIRST_NAMES = (
    "Ada", "Bo", "Chloé", "Dora", "Eirik", "Fatima", "Γιώργος", "Håkan", "Ingrid", "José", "Kaito", "Lena", "Μαρία",
    "Nils", "O'Brian", "Petra", "Quentin", "Rúna", "Søren", "Tomás", "Ülo", "Véra", "Wei", "Xenia", "Yuki", "Zoë",
)  # fmt: skip
LAST_NAMES = (
    "Berg", "Lind", "D'Angelo", "Klein", "Παπαδόπουλος", "Müller", "Åkesson", "Garnier", "Tanaka", "Nowak", "Öberg",
    "Fischer", "Sørensen", "Łuczak", "Moreau", "van der Meer", "Κωνσταντίνου", "Strauß", "Hernández", "Ekström",
)  # fmt: skip
CITIES = (("Umeå", "903 26"), ("Αθήνα", "105 58"), ("Wien", "1010"), ("Lyon", "69001"), ("Zürich", "8001"))
STREETS = ("Storgatan", "Ερμού", "Mariahilfer Straße", "Rue de l'Été", "Bahnhofstrasse", "Κήπου")
THINGS = ("Tent", "Lantern", "Stove", "Rope", "Sleeping bag", "Backpack", "Axe", "Bottle", "Map", "Boot", "Jacket")
KINDS = ("Fjäll", "Αστέρι", "Alpen", "Étoile", "Polar", "Trail", "Dusk", "Birch", "Granite", "Aurora")
COLOURS = (("green", "Green"), ("blue", "Blå"), ("red", "Κόκκινο"), ("black", "Schwarz"))
WORDS = (
    "light", "mountain", "väg", "δρόμος", "night", "fire", "warm", "Straße", "rain", "coffee", "ridge", "snow", "été",
    "north", "map", "morning", "tält", "Zelt", "camp", "river", "the", "and", "of", "under", "with", "a", "for", "our",
)  # fmt: skip

EMOJI = "🏕️🔥👩‍🚒🇸🇪"  # astral characters, a joiner sequence and a flag
JAPANESE = "山の朝は静かだ"
GREEK = "Καλημέρα από το βουνό"
COMPOSED = "Åre café naïve"  # NFC
DECOMPOSED = "A\u030are cafe\u0301 nai\u0308ve"  # the same in NFD: other bytes, and must stay so
SCRIPTS = f"{EMOJI} {JAPANESE} {GREEK} {COMPOSED} {DECOMPOSED}"


def url_forms(store: StoreProfile) -> dict[str, str]:
    """Each form of the store's address by name. Those named `keep_*` are not the store's own and must stay."""
    host, upload = store.host, f"{store.uploads}/2025/03/photo-1.jpg"
    return {
        "http": f"http://{host}/about/",
        "https": f"https://{host}/shop/?orderby=price&page=2#top",
        "bare_end": f"{store.url}",
        "protocol_relative": f"//{host}/contact/",
        "json": json_escaped({"href": f"{store.url}/sale/", "img": store.url + upload}),
        "url_encoded": f"https://share.example/post?u={quote(store.url + '/hello/', safe='')}",
        "url_encoded_lower": f"https://share.example/?u=http%3a%2f%2f{host}%2fhello%2f",
        "double_json": json_escaped({"inner": json_escaped({"href": f"{store.url}/deep/"})}),
        "upper": f"HTTP://{host.upper()}/About/",
        "mixed_case": f"http://{host.title()}/About/",
        "other_form": f"http://{store.other_form}/old-link/",
        "upload": store.url + upload,
        "upload_relative": upload,
        "server_path": f"{store.root}{upload}",
        "entity": f"{store.url}/?a=1&amp;b=2",
        "keep_email": f"info@{store.bare_host} orders@{host}",
        "keep_longer": f"http://{host}.org/ http://{host}-backup.example/",
        "keep_contains": f"http://not{store.bare_host}/ http://cdn-not{host}/x.js",
        "keep_port": f"http://{host}:8443/status",
        "keep_path": f"https://archive.example/{host}/2024/",
        **{f"sibling_{number}": f"https://{sibling}/gift/" for number, sibling in enumerate(store.siblings)},
    }


def sentence(chance: random.Random, words: int = 12) -> str:
    return " ".join(chance.choices(WORDS, k=words)).capitalize() + "."


def paragraph(chance: random.Random, sentences: int = 4) -> str:
    return (
        f"<!-- wp:paragraph -->\n<p>{' '.join(sentence(chance) for _ in range(sentences))}</p>\n<!-- /wp:paragraph -->"
    )


def latin(text: str) -> str:
    """The part of a text that latin1 can hold."""
    return "".join(sign for sign in text if ord(sign) < 256)
