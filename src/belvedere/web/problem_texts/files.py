"""Problems with files that come in: names, places, sending them over HTTP, reading them."""

from typing import Final

from belvedere.web.problem_texts.problem import Problem

FILES: Final = {
    "bad-meter-file": Problem(
        "A meter's file cannot be read",
        "It is empty, holds no rows, is not UTF-8, or its header is of a format that nobody here knows.",
        "Nothing of it was stored. The file lies in `error/` beside where it came.",
        "Export it from the device again, or describe its format in a format file; then try again on its page.",
    ),
    "bad-meter-format": Problem(
        "A format file is wrong",
        "A file that describes a format of meters names something that is not known, or leaves something out.",
        "Files of that format are refused; all others are read.",
        "Change what the detail names. `belvedere intake check FILE` shows what a file would give.",
    ),
    "report": Problem(
        "Nothing in a file is a report",
        "It holds no timing path, violation, METRICS2.1 metric or table with a header, or it is cut off.",
        "Nothing of it was stored. The file lies in `error/` beside where it came.",
        "Send it as the tool wrote it. `belvedere intake check FILE` shows what would be made of it.",
    ),
    "report-rows": Problem(
        "The tenant's own database refused a report's rows",
        "A constraint or trigger that the tenant has put on the table does not take them.",
        "Nothing of the file was stored; what stood there stands.",
        "Change the constraint, or rename the file so that it makes a table of its own; then try again on its page.",
    ),
    "store-planned": Problem(
        "A tenant's databases are not ready yet",
        "They are being made, or what makes them waits.",
        "Its reports wait and are taken by themselves.",
        "Look at the tenant's page, if it lasts: its steps say what is missing.",
    ),
    "points-busy": Problem(
        "Another job works on a tenant's measured values",
        "One process at a time writes a tenant's values, or changes its bucket in InfluxDB.",
        "The files wait and are taken by themselves.",
        "Nothing. Should it last, look at the jobs page for one that does not end.",
    ),
    "timescale-unloaded": Problem(
        "The server no longer loads TimescaleDB",
        "A tenant's measured values stand in TimescaleDB's tables, and `shared_preload_libraries` no longer names it.",
        "The files wait; what was measured before can be seen. A row that was written now would vanish later.",
        "Put `timescaledb` into `shared_preload_libraries` again and restart the server.",
    ),
    "data-root": Problem(
        "The installation reads another folder",
        "`tsv_parser.py` was given a folder that is not the one in which this installation looks for files.",
        "Nothing was read.",
        "Set BELVEDERE_DATA_ROOT to that folder and start anew, or leave `--dataFolder` out.",
    ),
    "campaign-name": Problem(
        "A folder cannot be a campaign",
        "Its name is not UTF-8, too long, begins or ends with a blank, or is kept for files that are done.",
        "Files in it stay where they are and are not read.",
        "Rename the folder. Its files are then taken by themselves.",
    ),
    "file-name": Problem(
        "A file or folder cannot be called so",
        "The name holds a slash or a character that does not show, begins with a dot, is too long, or ends as names of "
        "files do that are still being written.",
        "Nothing was sent.",
        "Send it under another name.",
    ),
    "file-size": Problem(
        "The file is too large to be sent here",
        "Pages and REST take files up to BELVEDERE_HTTP_UPLOAD_BYTES.",
        "Nothing was sent.",
        "Send it by SFTP, or let an operator raise that setting.",
    ),
    "quota": Problem(
        "The tenant's quota is used up",
        "What lies in its folder and is on its way, with this file, is more than its SFTP users may put there.",
        "Nothing was sent.",
        "Remove files by SFTP, or ask an operator for more room.",
    ),
    "too-many-uploads": Problem(
        "Too many files are on their way",
        "A thousand files of one tenant were begun over HTTP and not ended.",
        "This one was not begun; the others go on.",
        "End some of them. What nobody goes on with is removed after a day.",
    ),
    "offset": Problem(
        "The part does not begin where the file stands",
        "A part was lost or came twice. The member `offset` says where the file stands.",
        "Nothing was lost: what came before is kept.",
        "Send the part that begins there.",
    ),
    "part": Problem(
        "The part is too large",
        "It has more bytes than one part may have, or reaches beyond the end of the file as it was announced.",
        "It was not kept; what came before is.",
        "Send smaller parts: `chunk_bytes` of the upload says how large they may be.",
    ),
    "checksum": Problem(
        "The part is not what its checksum says",
        "Something between sender and server changed or cut it, or the checksum has another shape than `crc32:` or "
        "`sha256:` and digits.",
        "It was not kept; what came before is.",
        "Send it again.",
    ),
    "busy": Problem(
        "Another request is at work on the same file",
        "Parts of one file come one after the other. Two senders are at it, or an earlier request has not ended.",
        "Nothing was lost.",
        "Wait for the other request, ask where the file stands, and go on there.",
    ),
    "sent": Problem(
        "The file is in its place already",
        "Every byte of it came, so there is nothing on its way that could be dropped.",
        "The file lies in the tenant's folder and is read as any other.",
        "Remove it by SFTP if it should not be there.",
    ),
    "begin-anew": Problem(
        "What came of the file is not there any more",
        "Somebody removed the part of it that was kept in the tenant's folder.",
        "The file has not arrived.",
        "Begin to send it anew.",
    ),
    "tenant-deleting": Problem(
        "The tenant is on its way out",
        "It is being deleted, so no file is taken for it any more.",
        "Nothing was sent.",
        "Ask an operator whether that is meant.",
    ),
    "place": Problem(
        "A file of this kind does not belong where it lies",
        "A meter's file lies in a campaign's folder, in one for its device.",
        "It was not stored. The file lies in `error/`.",
        "Send it to `<campaign>/<device>/`.",
    ),
    "partial": Problem(
        "The store took only a part of a file",
        "It refused some values, such as ones of another type than those it has.",
        "The other values are stored; the file is in `parsed/`, and its page says how many are missing.",
        "Read the reason on its page. Put the file right and send it again; what is stored is not doubled.",
    ),
    "store": Problem(
        "The store refuses a file",
        "It took nothing of it and will not take it as it is.",
        "Nothing of it was stored. The file lies in `error/`.",
        "Read the reason on its page, put the file or the store right, then try again.",
    ),
    "memory": Problem(
        "Reading a file needs too much memory",
        "More than BELVEDERE_INTAKE_MEMORY_BYTES allows, for instance by one endless line.",
        "It was refused; nothing else is touched.",
        "Send it in smaller files, or let an operator raise that setting; then try again.",
    ),
    "reader": Problem(
        "The program that reads files failed",
        "It died, hung or met something that nobody foresaw. Files are read one by one, apart from everything else.",
        "This file is tried twice and then refused. All others are read.",
        "Try again on its page. If it ends the same way, report it as CONTRIBUTING.md says.",
    ),
    "state": Problem(
        "The upload cannot be tried again",
        "It went well, is being read, or the file is gone.",
        "Nothing was changed.",
        "Send the file again if it should be read once more.",
    ),
    "gone": Problem(
        "The file is gone",
        "Somebody took it away, so it cannot be read again.",
        "Nothing was changed.",
        "Send it again.",
    ),
    "deleted": Problem(
        "The campaign is deleted",
        "A deleted campaign keeps its data and can be neither renamed nor deleted again.",
        "Nothing was changed.",
        "Make a folder of its name: it comes back.",
    ),
}
