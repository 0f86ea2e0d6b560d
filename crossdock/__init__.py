"""Crossdock: moves WordPress/WooCommerce stores into one managed multisite, and proves that nothing was lost."""

__version__ = "0.1.0"
