"""Limits on what nodes and Service Directories accept from each other and keep, far above what clusters need."""

from __future__ import annotations

from dataclasses import dataclass

LONGEST_NAME = 255  # characters of a data product, service, component or domain
LONGEST_URL = 1000  # characters
MOST_DOMAINS = 100
MOST_PUBLISHERS = 1000  # of a data product
MOST_FILTERS = 10_000  # filter texts of a data product: of its cached messages, and of its subscriptions


@dataclass(frozen=True, slots=True)
class DirectoryLimits:
    """How many registrations a Service Directory keeps, of all domains together."""

    data_products: int = 5000  # publishers, of all data products together
    services: int = 5000
    publishers: int = MOST_PUBLISHERS  # of one data product
    domains: int = MOST_DOMAINS


def fault_of_name(name: str, longest: int = LONGEST_NAME) -> str:
    """Return what is wrong with a name or url of `longest` characters at most; "" if nothing."""
    if len(name) > longest:
        return f"has {len(name)} characters, more than {longest}"
    return "" if name.isprintable() else "has unprintable characters"
