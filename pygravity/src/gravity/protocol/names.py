"""Names that Gravity reserves for its own data products and services."""

from __future__ import annotations

# Published, or provided, by the Service Directory.
REGISTERED_PUBLISHERS = "RegisteredPublishers"
DOMAIN_DETAILS = "ServiceDirectory_DomainDetails"
DOMAIN_UPDATE = "ServiceDirectory_DomainUpdate"
DIRECTORY_SERVICE = "DirectoryService"
# Published by each node on its own behalf.
LOG_PRODUCT = "GRAVITY_LOGGER"
METRICS_PRODUCT = "GravityMetricsData"
SETTINGS_PRODUCT = "GRAVITY_SETTINGS"

RESERVED = frozenset(
    {
        REGISTERED_PUBLISHERS,
        DOMAIN_DETAILS,
        DOMAIN_UPDATE,
        DIRECTORY_SERVICE,
        LOG_PRODUCT,
        METRICS_PRODUCT,
        SETTINGS_PRODUCT,
    }
)

HEARTBEAT_SUFFIX = "_GravityHeartbeat"  # follows the component id in the name of its heartbeat product
