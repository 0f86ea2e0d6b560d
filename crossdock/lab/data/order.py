"""One order as facts: who bought what and what it cost. Nothing here knows in which tables it will be kept."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from hashlib import sha1

from crossdock.lab.data.wording import CITIES, FIRST_NAMES, LAST_NAMES, STREETS
from crossdock.lab.data.world import TIME_BASE, Member, Product, World

STATUSES = ("completed", "processing", "completed", "pending", "on-hold", "cancelled", "completed", "failed")
PAID = ("completed", "processing", "refunded")
SHIPPING_CENTS = 4_900
COUPON = "vår-10"


@dataclass
class Line:
    """One product line; cents are net, `tax` belongs to the whole line after `discount`."""

    product: Product
    name: str
    variation_id: int
    colour: str
    quantity: int
    subtotal: int
    discount: int
    tax: int

    @property
    def total(self) -> int:
        return self.subtotal - self.discount


@dataclass
class Order:
    """An order before it is written. All money in cents; `member` is None for guests."""

    order_id: int
    number: int
    status: str
    at: int
    member: Member | None
    address: dict[str, str]
    lines: list[Line]
    shipping_tax: int
    coupon: bool
    key: str
    item_ids: list[int] = field(default_factory=list)

    @property
    def email(self) -> str:
        return self.address["email"]

    @property
    def customer(self) -> int:
        return self.member.user_id if self.member else 0

    @property
    def paid(self) -> bool:
        return self.status in PAID

    @property
    def items_tax(self) -> int:
        return sum(line.tax for line in self.lines)

    @property
    def net(self) -> int:
        return sum(line.total for line in self.lines)

    @property
    def discount(self) -> int:
        return sum(line.discount for line in self.lines)

    @property
    def total(self) -> int:
        return self.net + self.items_tax + SHIPPING_CENTS + self.shipping_tax

    @property
    def quantity(self) -> int:
        return sum(line.quantity for line in self.lines)


def draw_order(world: World, chance: random.Random, number: int, buyers: list[Member]) -> Order:
    """The next order; the first ones cover each case: downloads, guests, refunds, coupons, every status."""
    member = None if number % 3 == 1 or not buyers else chance.choice(buyers)
    status = "refunded" if number % 16 == 2 else STATUSES[number % len(STATUSES)]
    order_id = world.take("posts")
    percent = tax_percent(world)
    coupon = number % 4 == 0
    lines = [_line(world, chance, number, index, percent, coupon) for index in range(1 + (number % 3 == 0))]
    key = sha1(f"{world.store.slug}:{world.seed}:{order_id}".encode(), usedforsecurity=False).hexdigest()[:13]
    return Order(
        order_id=order_id,
        number=number,
        status=status,
        at=TIME_BASE - 86_400 * 365 + number * max(1, 86_400 * 360 // world.size.orders),
        member=member,
        address=member.address if member else _guest(world, chance),
        lines=lines,
        shipping_tax=round(SHIPPING_CENTS * percent / 100),
        coupon=coupon,
        key=f"wc_order_{key}",
    )


def tax_percent(world: World) -> float:
    return float(world.store.tax_rates[0].percent)


def _line(world: World, chance: random.Random, number: int, index: int, percent: float, coupon: bool) -> Line:
    # The very first order takes the downloadable product and the last, variable one.
    product = world.products[-index] if number == 0 else chance.choice(world.products)
    variation = chance.choice(product.variations) if product.variations else None
    quantity = chance.randint(1, 3)
    subtotal = (variation.cents if variation else product.cents) * quantity
    discount = subtotal // 10 if coupon else 0
    name = f"{product.name} - {variation.colour}" if variation else product.name
    return Line(
        product,
        name,
        variation.post_id if variation else 0,
        variation.colour if variation else "",
        quantity,
        subtotal,
        discount,
        round((subtotal - discount) * percent / 100),
    )


def _guest(world: World, chance: random.Random) -> dict[str, str]:
    city, postcode = chance.choice(CITIES)
    return {
        "first_name": chance.choice(FIRST_NAMES),
        "last_name": chance.choice(LAST_NAMES),
        "company": "",
        "address_1": f"{chance.choice(STREETS)} {chance.randint(1, 99)}",
        "address_2": "",
        "city": city,
        "state": "",
        "postcode": postcode,
        "country": world.store.country,
        "email": f"guest{chance.randint(0, max(4, world.size.orders // 2))}@mail.example",
        "phone": "+43 1 555 01",
    }
