"""Seeded store data like life's, with a size knob: for the lab, for tests and for benches."""

from crossdock.lab.data.content import media_paths
from crossdock.lab.data.core_tables import install_core
from crossdock.lab.data.decisions import DECISIONS, decisions
from crossdock.lab.data.fill import populate
from crossdock.lab.data.products import download_paths
from crossdock.lab.data.profiles import EAST, EAST_FR, NORTH, PROFILES, SOUTH, StoreProfile, TaxRate
from crossdock.lab.data.sizes import SIZES, Size
from crossdock.lab.data.world import TIME_BASE

__all__ = [
    "DECISIONS",
    "EAST",
    "EAST_FR",
    "NORTH",
    "PROFILES",
    "SIZES",
    "SOUTH",
    "TIME_BASE",
    "Size",
    "StoreProfile",
    "TaxRate",
    "decisions",
    "download_paths",
    "install_core",
    "media_paths",
    "populate",
]
