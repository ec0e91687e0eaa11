"""Problems with starting, stopping and settings: the home, the ports, the parts, the servers below them."""

from typing import Final

from belvedere.web.problem_texts.problem import Problem

INSTALLATION: Final = {
    "setting": Problem(
        "A setting does not parse",
        "A value in the environment or in .env is not of its type.",
        "The program does not start.",
        "Change the value; `belvedere settings` lists each with its type.",
    ),
    "host": Problem(
        "This machine cannot listen on that address",
        "HOST names an address that no interface of this machine has.",
        "Nothing was started.",
        "Set HOST to 127.0.0.1, to 0.0.0.0, or to an address of this machine.",
    ),
    "port": Problem(
        "A port cannot be used",
        "Another program listens there, or the port is below 1024 and needs root. The embedded PostgreSQL has a "
        "port of its own, which its home remembers.",
        "Nothing was started.",
        "Choose another with PORT, or end the other program: `ss -ltnp` lists who listens.",
    ),
    "home": Problem(
        "The home cannot be used",
        "The folder may not be written, is no home of Belvedere, or its file `home.json` is damaged.",
        "Nothing was changed there.",
        "Name the right folder with BELVEDERE_HOME. Out of a damaged one, restore a backup into another home.",
    ),
    "home-owner": Problem(
        "The home belongs to another user",
        "Keys and databases are for the user who made them, and no other user may write there.",
        "Nothing was changed.",
        "Run the command as that user, or choose another folder with BELVEDERE_HOME.",
    ),
    "home-taken": Problem(
        "The home holds an installation already",
        "A backup is restored into a new home, so that it can overwrite nothing.",
        "Nothing was changed.",
        "Restore into another one: `BELVEDERE_HOME=folder belvedere restore FILE`.",
    ),
    "home-copied": Problem(
        "The home is a copy of another",
        "The embedded PostgreSQL of this home is that of the first one; two homes on one server would destroy each "
        "other's data.",
        "Nothing was started.",
        "Run `belvedere backup` in the first home and `belvedere restore` in this one.",
    ),
    "newer-home": Problem(
        "The home is newer than the program",
        "A newer Belvedere wrote it.",
        "This program does not start there and changes nothing.",
        "Start the newer program, or choose another folder with BELVEDERE_HOME.",
    ),
    "older-home": Problem(
        "The home has an older form",
        "An earlier Belvedere wrote it in a form that this one does not read.",
        "This program does not start there and changes nothing.",
        "Make a backup with that version, then run `belvedere restore FILE` with this one and another home.",
    ),
    "no-installation": Problem(
        "There is no installation yet",
        "The home holds no address of a control database, and the settings name none.",
        "The command did nothing.",
        "Run `belvedere up`, or name the right home with BELVEDERE_HOME.",
    ),
    "not-running": Problem(
        "The installation does not run",
        "The command needs the embedded PostgreSQL, which runs only while the installation does.",
        "The command did nothing.",
        "Run `belvedere up --detach`, or set BELVEDERE_DATABASE_URL to a server of your own.",
    ),
    "running": Problem(
        "The installation runs",
        "A home has one supervisor at a time, and a running installation is not deleted.",
        "Nothing was changed.",
        "Look at `belvedere status`; `belvedere down` stops it.",
    ),
    "not-stopping": Problem(
        "The installation does not stop",
        "A part has not ended in time: it finishes a long piece of work, or hangs.",
        "It is still on its way down.",
        "Look at `belvedere status`, wait, and repeat `belvedere down`.",
    ),
    "web": Problem(
        "The web part does not start",
        "It ended again and again, or did not answer in time after its start.",
        "The installation is not up.",
        "Read `logs/web.out` in the home: its last lines say why.",
    ),
    "disk-full": Problem(
        "The disk is full",
        "The disk that holds the home or the embedded PostgreSQL has no room left, or a quota is used up.",
        "What was being written is not; what was there before stays whole.",
        "Free some space: `df -h` shows where. Then try again.",
    ),
    "postgresql": Problem(
        "The embedded PostgreSQL failed",
        "It did not start, or ended; the detail has its last words.",
        "The installation is not up.",
        "Read `logs/postgres.out` in the home and the server's own log.",
    ),
    "postgresql-version": Problem(
        "PostgreSQL has the wrong version",
        "The server is older than Belvedere needs, or no PostgreSQL on this machine can read data that another "
        "version wrote.",
        "Nothing was started and no data was touched.",
        "Install the version that the hint names, or name another server in BELVEDERE_DATABASE_URL.",
    ),
    "no-postgresql": Problem(
        "No PostgreSQL programs are there",
        "The embedded server, backups and restores need programs of PostgreSQL that are at least as new as the "
        "data or the server.",
        "The installation is not started, or the backup not made.",
        "Install what the hint names, or name the folder with BELVEDERE_POSTGRES_BIN.",
    ),
    "no-system-user": Problem(
        "There is no user to run PostgreSQL as",
        "PostgreSQL refuses to run as root, and this machine has neither `postgres` nor `nobody`.",
        "Nothing was started.",
        "Run `useradd --system postgres`, or start Belvedere as a user who is not root.",
    ),
    "server-left": Problem(
        "An earlier PostgreSQL still runs on the data",
        "Its supervisor was killed and the server has not ended since.",
        "Nothing was started, so that two servers do not write to one folder.",
        "Run the hint's `kill -INT`, then `belvedere up` again.",
    ),
    "database-away": Problem(
        "The control database does not answer",
        "PostgreSQL is down, restarts, or all its connections are in use.",
        "Nothing can be changed; accepted work waits.",
        "Look at `belvedere status` and at the server's own log. Pages come back by themselves.",
    ),
    "database-login": Problem(
        "PostgreSQL refuses the login",
        "The login or its password is wrong, or the server lets nobody in from this machine.",
        "Nothing was changed.",
        "Check BELVEDERE_DATABASE_URL, or MASTER_DB_USER and MASTER_DB_PASS; then `pg_hba.conf` of the server.",
    ),
    "database-rights": Problem(
        "The login may not do enough",
        "Belvedere makes a database and logins for each tenant, so its login needs CREATEDB and CREATEROLE.",
        "Nothing was changed.",
        "Run the hint's `ALTER ROLE` as a superuser, or give another login.",
    ),
    "database-taken": Problem(
        "The database is somebody else's",
        "It holds tables of another program or an installation of another home, or the server has databases with "
        "the names that a backup brings.",
        "Nothing was overwritten.",
        "Name another database, which is made when missing, or another server.",
    ),
    "no-such-database": Problem(
        "The server has no such database",
        "The address is right, but none of the databases by which one first connects is there.",
        "Nothing was changed.",
        "Name one that exists in BELVEDERE_DATABASE_URL, or make it: `createdb`.",
    ),
    "newer-schema": Problem(
        "The database is newer than the program",
        "A newer Belvedere has migrated it.",
        "This program does not start.",
        "Start the newer program, or restore a backup made by this one.",
    ),
    "older-schema": Problem(
        "The database is older than the program",
        "The program was updated and has not been started since, or nothing has been set up there yet.",
        "Nothing was changed. A start brings the database up to date.",
        "`belvedere up`; with a server of your own also `belvedere init-db`.",
    ),
}
