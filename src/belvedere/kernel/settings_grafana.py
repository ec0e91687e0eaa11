"""The rows of the table of settings that concern a Grafana and the query gateway behind a shared one.

What is not here: how the table is read, and every other row (`settings.py`).
"""

from dataclasses import dataclass
from typing import Final

from belvedere.kernel.secret import Secret
from belvedere.kernel.setting_rows import bool_row, float_row, int_row, port_row, secret_row, text_row

_GRAFANA: Final = "Grafana"


@dataclass(frozen=True, slots=True)
class GrafanaSettings:
    """The part of `Settings` that has to do with Grafana."""

    grafana_url: str = text_row(
        "GRAFANA_BASE_URL",
        "",
        "Address of the Grafana that tenants look at, as people open it. Empty: the built-in viewer.",
        section=_GRAFANA,
        aliases=("GRAFANA_URL",),
    )
    grafana_api_key: Secret = secret_row("GRAFANA_API_KEY", "Its API key.", section=_GRAFANA)
    grafana_user: str = text_row(
        "GRAFANA_USER", "", "Login of a server administrator of it.", section=_GRAFANA, aliases=("GRAFANA_ADMIN_USER",)
    )
    grafana_password: Secret = secret_row(
        "GRAFANA_PASSWORD", "That login's password.", section=_GRAFANA, aliases=("GRAFANA_ADMIN_PASSWORD",)
    )
    grafana_tier: str = text_row(
        "BELVEDERE_WORKSPACE_TIER",
        "",
        "What a new tenant gets: `viewer`; `org`, an organisation of its own in Grafana; `team`, a team in one that "
        "tenants share. "
        "Empty: `org` where address, login and password of one are set.",
        section=_GRAFANA,
    )
    grafana_organisation: str = text_row(
        "BELVEDERE_GRAFANA_ORGANISATION",
        "Tenant {id} - {name}",
        "Name of a tenant's organisation, with its number and name put in.",
        section=_GRAFANA,
    )
    grafana_shared: str = text_row(
        "BELVEDERE_GRAFANA_SHARED",
        "Belvedere",
        "The organisation that tenants of tier `team` share: its name, made when it is missing, or the number of one.",
        section=_GRAFANA,
    )
    grafana_operators: str = text_row(
        "BELVEDERE_GRAFANA_OPERATORS",
        "Belvedere operators",
        "The organisation in which operators see the uploads of all tenants: its name, made when it is missing, or the "
        "number of one. Nobody of a tenant belongs there. `-`: none.",
        section=_GRAFANA,
    )
    grafana_default_user: str = text_row(
        "BELVEDERE_GRAFANA_DEFAULT_USER",
        "user_{name}",
        "Login of the user that a tenant gets in Grafana; without `{name}` one that is there already. `-`: none.",
        section=_GRAFANA,
    )
    grafana_keep_user: bool = bool_row(
        "BELVEDERE_GRAFANA_KEEP_USER", "Let a tenant's user stay in Grafana when the tenant is deleted.",
        default=False, section=_GRAFANA,
    )
    grafana_ca_file: str = text_row(
        "BELVEDERE_GRAFANA_CA_FILE",
        "",
        "File of certificates to trust for Grafana besides the system's, PEM.",
        section=_GRAFANA,
    )
    grafana_capture: str = text_row(
        "BELVEDERE_GRAFANA_CAPTURE",
        "token",
        "How pictures of Grafana's pages are taken: `token`; `public`, the dashboard is public meanwhile; `renderer`, "
        "by Grafana's image renderer.",
        section=_GRAFANA,
    )
    grafana_store_address: str = text_row(
        "BELVEDERE_GRAFANA_STORE_ADDRESS",
        "",
        "How Grafana reaches the tenants' PostgreSQL, `host` or `host:port`. Empty: as the tenants do.",
        section=_GRAFANA,
    )
    grafana_store_ssl: str = text_row(
        "BELVEDERE_GRAFANA_STORE_SSL",
        "",
        "How it is encrypted: `disable`, `require`, `verify-full`. Empty: `disable` on loopback, else `require`.",
        section=_GRAFANA,
    )
    grafana_timeout_s: float = float_row(
        "BELVEDERE_GRAFANA_TIMEOUT_S", 20.0, "Longest wait for one answer of Grafana, in seconds.",
        section=_GRAFANA, least=0.1,
    )
    grafana_workers: int = int_row(
        "BELVEDERE_GRAFANA_WORKERS", 4, "Calls to Grafana at one time of one process.", section=_GRAFANA,
        least=1, most=8,
    )
    grafana_writers: int = int_row(
        "BELVEDERE_GRAFANA_WRITERS", 1, "How many of them may change something. One is fastest where Grafana keeps its "
        "data in SQLite; two to four are where it has a PostgreSQL or MySQL.", section=_GRAFANA, least=1, most=8,
    )
    gateway: bool = bool_row(
        "BELVEDERE_GATEWAY", "Run the query gateway of a shared Grafana as a part.", default=False, section=_GRAFANA
    )
    gateway_host: str = text_row(
        "BELVEDERE_GATEWAY_HOST", "127.0.0.1", "Address that the query gateway listens on.", section=_GRAFANA
    )
    gateway_port: int = port_row("BELVEDERE_GATEWAY_PORT", 8051, "Port that it listens on.", section=_GRAFANA)
    gateway_address: str = text_row(
        "BELVEDERE_GATEWAY_ADDRESS",
        "",
        "How Grafana reaches the query gateway. Empty: `http://` with the address and port that it listens on.",
        section=_GRAFANA,
    )
    gateway_secret: Secret = secret_row(
        "BELVEDERE_GATEWAY_SECRET",
        "Secret by which Grafana proves itself to it. Empty: derived from the sealing key.",
        section=_GRAFANA,
    )
    gateway_issuer: str = text_row(
        "BELVEDERE_GATEWAY_ISSUER",
        "",
        "Root URL of the shared Grafana as its identity tokens say it. Empty: GRAFANA_BASE_URL.",
        section=_GRAFANA,
    )
    gateway_organisation: int = int_row(
        "BELVEDERE_GATEWAY_ORGANISATION",
        0,
        "Number of the shared organisation whose members are answered. 0: that of BELVEDERE_GRAFANA_SHARED.",
        section=_GRAFANA,
    )
    gateway_rows: int = int_row(
        "BELVEDERE_GATEWAY_ROWS", 1_000_000, "Most rows of one answer of it.", section=_GRAFANA, least=1
    )
    gateway_bytes: int = int_row(
        "BELVEDERE_GATEWAY_BYTES", 268_435_456, "Most bytes of one answer of it.", section=_GRAFANA, least=1
    )
    gateway_at_once: int = int_row(
        "BELVEDERE_GATEWAY_AT_ONCE", 4, "Queries of one tenant that it runs at one time.", section=_GRAFANA, least=1
    )
