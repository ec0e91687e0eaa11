"""Problems with backups and restores."""

from typing import Final

from belvedere.web.problem_texts.problem import Problem

ARCHIVES: Final = {
    "backup": Problem(
        "A program of PostgreSQL failed",
        "`pg_dump` or `pg_restore` ended with an error; the detail has its words.",
        "No backup was written. A restore stops there; a home that it made is deleted again.",
        "Read the detail, mend it, start again.",
    ),
    "backup-partial": Problem(
        "Some databases are missing from the backup",
        "They could not be dumped: each with its reason above, and in the file's own list.",
        "The rest is in the file and can be restored.",
        "Mend what the reasons say, then make another backup.",
    ),
    "no-backup": Problem(
        "That is no backup",
        "The file is not there, is damaged, or holds what no backup of Belvedere does.",
        "No installation was made.",
        "Check the path and where the file came from.",
    ),
    "newer-backup": Problem(
        "The backup is newer than the program",
        "A newer Belvedere wrote it.",
        "Nothing was changed.",
        "Restore it with the version that the hint names, or update this one.",
    ),
    "no-folder": Problem(
        "The folder of the backup is missing",
        "A backup is written into a folder that exists.",
        "Nothing was written.",
        "Make the folder, or choose another path.",
    ),
    "no-keys": Problem(
        "The sealing key is not here",
        "A backup does not hold keys. At a restore none was given; at a backup the home had none to write, because "
        "it comes from BELVEDERE_MASTER_KEY or a command.",
        "A restore does not begin. A backup is written, without its key file.",
        "Restore with `--keys KEYFILE`, or set BELVEDERE_MASTER_KEY. Keep a key from elsewhere as safe as the backup.",
    ),
}
