"""Problems with an SFTPGo: its users, and what it tells of files."""

from typing import Final

from belvedere.web.problem_texts.problem import Problem

SFTPGO: Final = {
    "sftpgo-away": Problem(
        "SFTPGo does not answer",
        "It is down, restarting or too slow.",
        "SFTP users are not kept in step; those it has go on working. Files that came are taken all the same.",
        "Nothing, if it comes back: it is tried again by itself. Else look at SFTPGo's own log.",
    ),
    "sftpgo-login": Problem(
        "SFTPGo does not let us in",
        "The administrator's name or password is wrong, or it may not view, add, edit and delete users.",
        "SFTP users are neither made nor changed there.",
        "Set BELVEDERE_SFTPGO_USER and BELVEDERE_SFTPGO_PASSWORD to an administrator with these permissions.",
    ),
    "sftpgo-refused": Problem(
        "SFTPGo refuses a user",
        "A name, a key, a home or a limit is not to its rules, or what answers is no SFTPGo of 2.5 or later.",
        "That user is not as it should be there; the others are.",
        "Read SFTPGo's sentence beside the problem, and change the SFTP user or SFTPGo's rules.",
    ),
    "sftpgo-changed": Problem(
        "A user changed in SFTPGo meanwhile",
        "Somebody made, took over or removed a user while Belvedere was about to write it.",
        "Nothing was written over.",
        "Nothing: it is compared again within five minutes.",
    ),
    "sftpgo-unset": Problem(
        "No SFTPGo is set",
        "A plan for SFTPGo was asked for, and the installation has the embedded SFTP server alone.",
        "Nothing.",
        "Set BELVEDERE_SFTPGO_URL, BELVEDERE_SFTPGO_USER and BELVEDERE_SFTPGO_PASSWORD where there is one.",
    ),
    "hook-event": Problem(
        "This is no event of SFTPGo",
        "What came through the hook's door is not what SFTPGo sends: a member is missing, of another type or too long.",
        "Nothing was kept of it. Folders are looked at besides, so no file is missed.",
        "Look at who calls the door: SFTPGo alone should. The history says from where it came.",
    ),
    "hook-path": Problem(
        "The path is not the user's own",
        "An event names a path outside the home of its user, or another tenant's folder.",
        "The event is refused and stands in the history. Nothing of that path is looked at.",
        "If SFTPGo sees tenants' folders under another name, set BELVEDERE_SFTPGO_ROOT to it.",
    ),
    "hook-folder": Problem(
        "The folder of the command hook cannot be used",
        "Everybody on this machine could reach it, it cannot be made, or another process serves it.",
        "The command hook keeps its events as files until the folder is right.",
        "Give the folder of BELVEDERE_HOOK_DIR to Belvedere and to SFTPGo's group alone (mode 2770).",
    ),
}
