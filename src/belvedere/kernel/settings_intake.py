"""The rows of the table of settings that concern files that come in: folders, how they are read, reports.

They stand on Grafana's rows because a class with slots can have one parent only.

What is not here: how the table is read, and every other row (`settings.py`).
"""

from dataclasses import dataclass
from typing import Final

from belvedere.kernel.secret import Secret
from belvedere.kernel.setting_rows import bool_row, choice_row, float_row, int_row, port_row, secret_row, text_row
from belvedere.kernel.settings_grafana import GrafanaSettings

_FILES: Final = "Files in"


@dataclass(frozen=True, slots=True)
class IntakeSettings(GrafanaSettings):
    """The part of `Settings` that has to do with files that come in."""

    intake: bool = bool_row(
        "BELVEDERE_INTAKE", "Take files that tenants send: watch their folders and read what comes.", default=True,
        section=_FILES,
    )
    data_root: str = text_row(
        "BELVEDERE_DATA_ROOT",
        "data",
        "Folder of the tenants' folders, `<tenant>/<campaign>/<device>/<file>`, relative to the home.",
        section=_FILES,
    )
    tsv_report_dir: str = text_row(
        "TSV_REPORT_DIR", "reports", "Folder of the reports on what was read, relative to the home.", section=_FILES
    )
    tsv_meta_bucket: str = text_row(
        "TSV_META_BUCKET", "powerview_meta", "Where the summary of each run and file is kept.", section=_FILES
    )
    intake_look_s: float = float_row(
        "BELVEDERE_INTAKE_LOOK_S", 60.0, "Seconds between two looks at all folders, the safety net.", section=_FILES,
        least=1.0,
    )
    intake_still_s: float = float_row(
        "BELVEDERE_INTAKE_STILL_S",
        2.0,
        "How long a file must be still to count as complete, in seconds, when no notice says that it was closed.",
        section=_FILES, least=0.0,
    )
    intake_memory_bytes: int = int_row(
        "BELVEDERE_INTAKE_MEMORY_BYTES", 1_073_741_824,
        "Memory that reading files may take, in bytes; a file that needs more is refused.", section=_FILES,
        least=268_435_456,
    )
    intake_timeout_s: float = float_row(
        "BELVEDERE_INTAKE_TIMEOUT_S", 600.0, "Longest time without progress while a file is read, in seconds.",
        section=_FILES, least=1.0,
    )
    intake_readers: int = int_row(
        "BELVEDERE_INTAKE_READERS", 2, "Tenants whose files one runner reads at one time.", section=_FILES, least=1,
        most=32,
    )
    points: str = choice_row(
        "BELVEDERE_POINTS",
        "auto",
        "Where measured values are kept: `postgresql`, `influxdb`, or `auto`: InfluxDB where INFLUXDB_HOST is set.",
        ("auto", "postgresql", "influxdb"), section=_FILES,
    )
    series_timescale: str = choice_row(
        "BELVEDERE_SERIES_TIMESCALE",
        "auto",
        "Whether new tables of measured values in PostgreSQL are TimescaleDB's hypertables: `auto`: where `belvedere "
        "init-db` found that the server loads it; `off`: they are plain.",
        ("auto", "off"), section=_FILES,
    )
    influxdb_host: str = text_row(
        "INFLUXDB_HOST", "", "Address of an InfluxDB 2, such as `http://127.0.0.1:8086`.", section=_FILES,
        aliases=("INFLUXDB_URL",),
    )
    influxdb_org: str = text_row("INFLUXDB_ORG", "", "Its organization that tenants' buckets stand in.", section=_FILES)
    influxdb_admin_token: Secret = secret_row(
        "INFLUXDB_ADMIN_TOKEN", "A token of it that may make buckets and tokens.", section=_FILES,
        aliases=("INFLUXDB_TOKEN",),
    )
    influxdb_timeout_s: float = float_row(
        "BELVEDERE_INFLUXDB_TIMEOUT_S", 30.0, "Longest wait for one answer of it, in seconds.", section=_FILES,
        least=0.1,
    )
    influxdb_ca_file: str = text_row(
        "BELVEDERE_INFLUXDB_CA_FILE", "", "File of certificates to trust for it besides the system's, PEM.",
        section=_FILES,
    )
    influxdb_batch_lines: int = int_row(
        "BELVEDERE_INFLUXDB_BATCH_LINES", 10_000, "Lines that are written to it in one request.", section=_FILES,
        least=1, most=1_000_000,
    )
    influxdb_address: str = text_row(
        "BELVEDERE_GRAFANA_INFLUXDB_ADDRESS", "", "How Grafana reaches it. Empty: INFLUXDB_HOST.", section=_FILES
    )
    influx_plugin: str = text_row(
        "BELVEDERE_INFLUX_PLUGIN",
        "influxdb",
        "Type of Grafana's data source for it, such as `influxdb-adecwatts-datasource`.",
        section=_FILES,
    )
    influx_language: str = choice_row(
        "INFLUXDB_QUERY_LANGUAGE", "flux", "What dashboards ask it in: `flux` or `influxql`.", ("flux", "influxql"),
        section=_FILES,
    )
    hook_secret: Secret = secret_row(
        "BELVEDERE_HOOK_SECRET",
        "Secret that SFTPGo sends with its HTTP hooks. Empty: derived from the sealing key.",
        section=_FILES,
    )
    hook_dir: str = text_row(
        "BELVEDERE_HOOK_DIR",
        "hook",
        "Folder of the command hook, relative to the home: its socket, and the events that it keeps while nobody "
        "listens. Another user's SFTPGo needs one that it may write in.",
        section=_FILES,
    )
    http_upload_bytes: int = int_row(
        "BELVEDERE_HTTP_UPLOAD_BYTES", 10_000_000_000,
        "Largest file that is taken over HTTP (pages, REST, `belvedere upload put`), in bytes.", section=_FILES,
        least=1,
    )
    sftp: bool = bool_row("BELVEDERE_SFTP", "Run the SFTP server as a part.", default=True, section=_FILES)
    sftp_host: str = text_row(
        "BELVEDERE_SFTP_HOST", "127.0.0.1", "Address that the SFTP server listens on.", section=_FILES
    )
    sftp_port: int = port_row("BELVEDERE_SFTP_PORT", 8022, "Port that it listens on.", section=_FILES)
    sftp_address: str = text_row(
        "BELVEDERE_SFTP_ADDRESS",
        "",
        "How senders reach it, `host` or `host:port`, as pages say it. Empty: the host of PUBLIC_URL.",
        section=_FILES,
    )
    sftp_idle_s: float = float_row(
        "BELVEDERE_SFTP_IDLE_S", 600.0, "Seconds without a word after which a session ends.", section=_FILES, least=1.0
    )
    sftp_sessions_per_user: int = int_row(
        "BELVEDERE_SFTP_SESSIONS_PER_USER", 20, "Most sessions of one user at a time.", section=_FILES, least=1
    )
    sftp_sessions_per_address: int = int_row(
        "BELVEDERE_SFTP_SESSIONS_PER_ADDRESS", 50, "Most sessions from one address at a time.", section=_FILES, least=1
    )
    sftp_flush: bool = bool_row(
        "BELVEDERE_SFTP_FLUSH",
        "Let each upload wait until the disk has it before its end is confirmed; slow on slow disks.", default=False,
        section=_FILES,
    )
    sftpgo_url: str = text_row(
        "BELVEDERE_SFTPGO_URL", "", "Address of an SFTPGo whose users are kept in step. Empty: none.", section=_FILES,
        aliases=("SFTPGO_URL",),
    )
    sftpgo_user: str = text_row(
        "BELVEDERE_SFTPGO_USER", "", "Login of an administrator of it.", section=_FILES, aliases=("SFTPGO_USER",)
    )
    sftpgo_password: Secret = secret_row(
        "BELVEDERE_SFTPGO_PASSWORD", "That login's password.", section=_FILES, aliases=("SFTPGO_PASSWORD",)
    )
    sftpgo_root: str = text_row(
        "BELVEDERE_SFTPGO_ROOT",
        "",
        "The folder of tenants' folders as SFTPGo sees it. Empty: BELVEDERE_DATA_ROOT, for one on this machine.",
        section=_FILES,
    )
    sftpgo_ca_file: str = text_row(
        "BELVEDERE_SFTPGO_CA_FILE", "", "File of certificates to trust for SFTPGo besides the system's, PEM.",
        section=_FILES,
    )
