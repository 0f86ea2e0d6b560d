"""The stores of the demo: what sets each one apart before a single row is made."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

# Each store's posts link to the others, as the stores of one company do.
ALL_HOSTS = ("www.north.example", "south.example", "east.example", "fr.east.example")


@dataclass(frozen=True)
class TaxRate:
    """`percent` as WooCommerce stores it: four decimals."""

    country: str
    percent: str
    name: str
    tax_class: str = ""


@dataclass(frozen=True)
class StoreProfile:
    """One store.

    `url` is scheme://host without a trailing slash, `uploads` the URL path of its uploads without a trailing slash,
    `root` the absolute WordPress folder on its server, `orders` "posts" or "hpos". `position` places the store in the
    story of shared people (neighbours share a fifth of their shoppers). `quirky_charsets` turns some tables into
    latin1 and utf8mb3 before they are filled.
    """

    slug: str
    server: str
    url: str
    root: str
    title: str
    tagline: str
    locale: str
    country: str
    currency: str
    tax_rates: tuple[TaxRate, ...]
    orders: str
    position: int
    uploads: str = "/wp-content/uploads"
    quirky_charsets: bool = False

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    @property
    def bare_host(self) -> str:
        return self.host.removeprefix("www.")

    @property
    def other_form(self) -> str:
        """The www form of a bare host, the bare form of a www host."""
        return self.bare_host if self.host.startswith("www.") else f"www.{self.host}"

    @property
    def siblings(self) -> tuple[str, ...]:
        return tuple(host for host in ALL_HOSTS if host != self.host)

    def blog_prefix(self, prefix: str, blog: int) -> str:
        """Table prefix of a blog, given the network's (or single site's) base prefix."""
        return prefix if blog == 1 else f"{prefix}{blog}_"


NORTH = StoreProfile(
    slug="north",
    server="north",
    url="http://www.north.example",
    root="/srv/north/www",
    title="Lumen North",
    tagline="Tält, kök och ljus för fjället",
    locale="sv_SE",
    country="SE",
    currency="SEK",
    tax_rates=(TaxRate("SE", "25.0000", "Moms"), TaxRate("SE", "6.0000", "Moms böcker", "reduced-rate")),
    orders="hpos",
    position=0,
)

SOUTH = StoreProfile(
    slug="south",
    server="south",
    url="http://south.example",
    root="/srv/south/www",
    title="Lumen South",
    tagline="Όλα για το μονοπάτι",
    locale="el",
    country="GR",
    currency="EUR",
    tax_rates=(TaxRate("GR", "24.0000", "ΦΠΑ"), TaxRate("GR", "13.0000", "ΦΠΑ μειωμένος", "reduced-rate")),
    orders="posts",
    position=1,
)

EAST = StoreProfile(
    slug="east",
    server="east",
    url="http://east.example",
    root="/srv/east/www",
    title="Lumen East",
    tagline="Ausrüstung für draußen",
    locale="de_AT",
    country="AT",
    currency="CHF",
    tax_rates=(
        TaxRate("AT", "20.0000", "USt."),
        TaxRate("DE", "19.0000", "MwSt."),
        TaxRate("CH", "8.1000", "MwSt. CH"),
    ),
    orders="posts",
    position=2,
    quirky_charsets=True,
)

EAST_FR = StoreProfile(
    slug="east-fr",
    server="east",
    url="http://fr.east.example",
    root="/srv/east/www",
    title="Lumen Est",
    tagline="L’équipement pour dehors, à l’année",
    locale="fr_FR",
    country="FR",
    currency="GBP",
    tax_rates=(TaxRate("FR", "20.0000", "TVA"), TaxRate("FR", "5.5000", "TVA réduite", "reduced-rate")),
    orders="hpos",
    position=2,
    uploads="/wp-content/uploads/sites/2",
)

PROFILES = {store.slug: store for store in (NORTH, SOUTH, EAST, EAST_FR)}
