"""What an outside Grafana reaches a tenant's stores with: the reader's login, or the token that may read its bucket.

What is not here: PostgreSQL's logins (`stores/service.py`), and making tokens (`influx.py`).
"""

from typing import Protocol
from uuid import UUID

from belvedere.kernel.errors import NotFound
from belvedere.kernel.secret import Secret
from belvedere.stores.influx.influx import InfluxPoints
from belvedere.stores.model import Store, StoreKind


class Stores(Protocol):
    """As much of the stores as is needed here."""

    def of_tenant(self, serial: int) -> list[Store]:
        """Return a tenant's stores."""
        ...

    def find(self, store_id: UUID) -> Store | None:
        """Find a store."""
        ...

    def reader_login(self, store_id: UUID) -> tuple[str, Secret]:
        """Return the role and password of the tenant's reader."""
        ...


class StoreLogins:
    """Logins of all kinds of stores."""

    def __init__(self, stores: Stores, influx: InfluxPoints | None) -> None:
        """Take what knows them."""
        self._stores = stores
        self._influx = influx

    def of_tenant(self, serial: int) -> list[Store]:
        """Return a tenant's stores."""
        return self._stores.of_tenant(serial)

    def reader_login(self, store_id: UUID) -> tuple[str, Secret]:
        """Return the role and password of the tenant's reader; for a bucket no role, and the token that may read it.

        Raises:
            NotFound: there is no such store, or it is not ready.
        """
        found = self._stores.find(store_id)
        if found is None or found.kind is not StoreKind.INFLUXDB:
            return self._stores.reader_login(store_id)
        if self._influx is None:
            message = "The InfluxDB that held this store is not set up here any more."
            raise NotFound(message)
        return "", self._influx.token(found.tenant_id)
