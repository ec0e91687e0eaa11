"""Problems with tenants: their names, credentials, stores, and what seals their secrets."""

from typing import Final

from belvedere.web.problem_texts.problem import Problem

TENANTS: Final = {
    "name": Problem(
        "That name cannot be a tenant's",
        "It is empty or too long, begins or ends with a blank, or holds a character that databases, folders or "
        "addresses cannot bear: a slash, a backslash, a colon, one that does not show.",
        "Nothing was made.",
        "Read the detail. Letters, digits and hyphens always do: `chip-lab-2`.",
    ),
    "key-name": Problem(
        "That is no name for a credential",
        "Names have at most 63 letters, digits, `_`, `-` or `.` and begin with a letter.",
        "Nothing was changed.",
        "Use a name such as DB_HOST.",
    ),
    "key-value": Problem(
        "That value cannot be right",
        "Known keys are checked for their shape: a port is a number, a Slack channel an id.",
        "Nothing was changed.",
        "Read the detail; it never quotes the value.",
    ),
    "master-key": Problem(
        "The sealing key is not usable",
        "The key that seals secrets is missing, malformed, readable by others, or another one than the secret was "
        "sealed with; or the command of BELVEDERE_MASTER_KEY_COMMAND failed.",
        "Credentials can be neither shown nor set, and what needs them waits. Sealed values stay as they are.",
        "Do what the hint says. A lost key comes back from where you keep it: the file `keys/master` of the home, "
        "or a key file that `belvedere backup --with-keys` wrote.",
    ),
    "sealed": Problem(
        "A sealed value is not where it was sealed",
        "Each value is bound to its tenant, name and version. This row was changed in the database, or moved there "
        "from elsewhere.",
        "That one credential cannot be opened; all others can.",
        "Set the credential again, or restore a backup. Find out who writes to the control database.",
    ),
    "store-away": Problem(
        "A store does not answer",
        "The PostgreSQL that holds tenants' databases is down, restarts, is busy, or holds a lock.",
        "Dashboards of it have no fresh data, and provisioning waits. Both go on by themselves.",
        "Wait. If it stays, look at that server's own log.",
    ),
    "store-refused": Problem(
        "The server of tenants' databases refuses",
        "The provisioning login lacks a right that it needs, or the server does not know a statement.",
        "The tenant's stores stay as they are; nothing is tried again by itself.",
        "Run `belvedere doctor`: it says what is missing. Give the right with `belvedere init-db` and a "
        "superuser's URL, then press Try again.",
    ),
    "foreign-database": Problem(
        "A database of that name is somebody else's",
        "The server holds a database that bears the tenant's name and was not made for this tenant.",
        "It was not touched, and the tenant's store was not made.",
        "Rename or drop that database, then press Try again.",
    ),
    "database-in-use": Problem(
        "Somebody is connected to a database that is to go",
        "The server does not drop a database while a session that it cannot end is open.",
        "The rest of the tenant is deleted; this database follows by itself.",
        "End the session, or wait until it ends.",
    ),
    "login-in-use": Problem(
        "A login still owns something elsewhere",
        "A login that is to go owns tables or rights in a database that is not its tenant's, so PostgreSQL keeps it.",
        "The deletion stops there. What it did before stays done.",
        "Look at what it owns, then run the hint's `DROP OWNED BY` in that database as a superuser and press Try "
        "again.",
    ),
    "template-busy": Problem(
        "The template database is in use",
        "Databases are made from one template, one after the other, and another one is being made now.",
        "The store is made by itself a second later.",
        "Nothing to do. If it stays, end whatever session is open in the template.",
    ),
    "query-too-long": Problem(
        "A query took too long",
        "It did not end at its limit of time, not even when asked, so its session was ended.",
        "That panel has no data this time. The store and all other panels are well.",
        "Choose a shorter time range, or add an index to the table.",
    ),
}
