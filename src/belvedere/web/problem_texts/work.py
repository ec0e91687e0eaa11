"""Problems with what goes on by itself: the history, jobs, previews, deliveries."""

from typing import Final

from belvedere.web.problem_texts.problem import Problem

WORK: Final = {
    "history-unwritable": Problem(
        "The history cannot be written",
        "Its folder cannot be written, or the disk is full. What was written of the record was taken back.",
        "Nothing is done that the history would not show, so changes are refused until then. Looking goes on.",
        "Free some space or give access to the folder that the hint names. It is tried again by itself.",
    ),
    "history-unflushed": Problem(
        "The history cannot be brought to the disk",
        "A record is in the file but the disk did not confirm it, so nobody knows whether it would survive a loss "
        "of power.",
        "Nothing was done; a second record says that it was refused.",
        "Look at the disk: `dmesg` shows its errors. It is tried again by itself.",
    ),
    "history-index": Problem(
        "The index of the history cannot be read",
        "It is locked or damaged. It only serves the search and is made from the history's files.",
        "Searching waits; the history itself is whole.",
        "Nothing at first: a damaged index is made anew by itself. If it stays, check the rights and the space of "
        "the history's folder.",
    ),
    "history-broken": Problem(
        "The history is not whole",
        "A record was changed, removed or cut, or the disk damaged it: the chain of hashes does not close.",
        "Records before that line are proved; those after it are not.",
        "Run `belvedere history verify`, and compare with the anchors that you keep elsewhere. Do not write into "
        "the files.",
    ),
    "unknown-job": Problem(
        "No runner knows that job",
        "A newer part ordered it, and the runners are of an older version.",
        "The job waits and is tried again a few times.",
        "Restart `belvedere jobs` in the same version as the rest.",
    ),
    "runner-died": Problem(
        "The runner of the work ended",
        "The process was killed, or lost touch with the database, before the work was done.",
        "Another runner takes the work up. After several such deaths in a row it is given up, so that it kills no "
        "more of them.",
        "Read the log of the runner; often memory ran out. Then try the work again.",
    ),
    "no-browser": Problem(
        "No Chromium is on this machine",
        "Previews need a Chromium browser on a host that runs `belvedere jobs`.",
        "Dashboards work; messages go out as text.",
        "Install it: `apt install chromium`, or set BELVEDERE_BROWSER.",
    ),
    "capture-failed": Problem(
        "A preview was not captured",
        "The browser could not be started, or the picture could not be encoded; the detail says which.",
        "It is tried again a few times; after that the message goes out as text.",
        "Read the detail. `belvedere doctor` says what the host lacks.",
    ),
    "capture-overdue": Problem(
        "The dashboard was not ready in time",
        "Panels were still being drawn, or the picture still being made, when CAPTURE_TIMEOUT ended.",
        "It is tried again a few times; after that the message goes out with a still, or as text.",
        "Open the dashboard: the panel that is not drawn says why. Else raise CAPTURE_TIMEOUT or lower CAPTURE_FRAMES.",
    ),
    "browser-gone": Problem(
        "The browser ended",
        "Chromium did not start, or it or the page in it crashed, or it was ended because it took too much memory.",
        "It is tried again a few times; after that the message goes out as text.",
        "Give the machine memory, or the browser more of it with BELVEDERE_CAPTURE_MEMORY_BYTES.",
    ),
    "browser-refused": Problem(
        "The browser refused a command",
        "Chromium does not know or does not do what the capture asks of it, such as in a version that is too old.",
        "It is tried again a few times; after that the message goes out as text.",
        "Update Chromium, or name another one with BELVEDERE_BROWSER.",
    ),
    "page-away": Problem(
        "The page did not open",
        "The browser cannot reach the portal under the address that it was given.",
        "It is tried again a few times; after that the message goes out as text.",
        "Set BELVEDERE_CAPTURE_URL to an address of the portal that works on the host of `belvedere jobs`.",
    ),
    "page-status": Problem(
        "The portal refused the page to the browser",
        "It answered with an error, such as 404 when the dashboard was deleted meanwhile or 503 while a server is "
        "away.",
        "It is tried again a few times; after that the message goes out with a still, or as text.",
        "Open the dashboard. If it is well, take a preview by hand.",
    ),
    "page-sign-in": Problem(
        "The browser came to the sign-in page",
        "The token of the capture was not accepted: it is valid for one minute and one capture, or another portal "
        "answers at that address.",
        "It is tried again with a new token; after that the message goes out as text.",
        "Check that BELVEDERE_CAPTURE_URL leads to this installation and that its hosts' clocks agree.",
    ),
    "page-script": Problem(
        "A script of the page failed",
        "The page answered, but its own program stopped with an error, which the detail quotes.",
        "It is tried again a few times; after that the message goes out with a still, or as text.",
        "Open the dashboard in a browser. If it fails there too, report what the detail quotes.",
    ),
    "disk": Problem(
        "The picture could not be written",
        "The disk that holds the previews is full, or their folder may not be written.",
        "It is tried again a few times; after that the message goes out as text.",
        "Free some space or give access to the folder of GIF_CAPTURE_DIR.",
    ),
    "rate-limited": Problem(
        "The channel asked to wait",
        "Slack limits how many messages it takes.",
        "The delivery goes out by itself after that.",
        "Nothing to do.",
    ),
    "delivery-doubt": Problem(
        "The other side may have the message already",
        "The connection broke after the message was handed over.",
        "It is not sent again by itself, so that nobody reads it twice.",
        "Look into the channel; press Send again only if it is missing.",
    ),
    "no-channel": Problem(
        "There is no channel for the message",
        "It was meant for Slack, and the tenant has no token or no channel any more.",
        "The message waits.",
        "Set the credentials SLACK_BOT_TOKEN and SLACK_CHANNEL_ID. It is then sent by itself.",
    ),
    "slack-away": Problem(
        "Slack does not answer",
        "It cannot be reached from this host, or said that it has a fault of its own.",
        "The message waits and goes out by itself.",
        "Nothing to do. If it stays, check the host's way to the internet and BELVEDERE_SLACK_API_URL.",
    ),
    "slack-unsure": Problem(
        "The connection to Slack broke halfway",
        "The request was on its way, so Slack may have done it or not.",
        "Before anything is sent again, Slack is asked whether it has it.",
        "Nothing to do.",
    ),
    "slack-refused": Problem(
        "Slack refused",
        "Its answer is one that does not fit the other types; the detail quotes Slack's word for it.",
        "The message waits for a person.",
        "Read the hint, or look the word up in Slack's documentation. Then press Send again.",
    ),
    "slack-token": Problem(
        "Slack does not take the bot token",
        "It is missing, unknown, revoked, expired, of another kind, or its user was deleted.",
        "The tenant's messages wait. They are sent by themselves when the credential changes.",
        "Put a working bot token into the credential SLACK_BOT_TOKEN.",
    ),
    "slack-channel": Problem(
        "Slack does not take the channel",
        "It does not exist, is archived, or is private and the bot is not in it.",
        "The tenant's messages wait. They are sent by themselves when the credential changes.",
        "Put the channel's ID, not its name, into SLACK_CHANNEL_ID, or write `/invite @<the app>` in the channel "
        "and press Send again.",
    ),
    "slack-scope": Problem(
        "The bot token lacks a scope",
        "Slack gives an app only the scopes that it was installed with; the detail names the one that is missing.",
        "The message waits. Without the scope for files it goes out as text.",
        "Add the scope to the Slack app, install it again, then press Send again. If Slack gave a new token, put "
        "it into SLACK_BOT_TOKEN.",
    ),
    "slack-workspace": Problem(
        "The Slack workspace does not allow it",
        "Its admins restrict who posts or which files are sent, or its storage is full.",
        "Without a picture the message goes out as text; where posting is forbidden it waits for a person.",
        "Ask the workspace's admin. A picture that is too large shrinks with CAPTURE_FRAMES.",
    ),
}
