"""Problems with who asks: signing in, roles, passwords, forms."""

from typing import Final

from belvedere.web.problem_texts.problem import Problem

PEOPLE: Final = {
    "unauthenticated": Problem(
        "Nobody is signed in",
        "The session ended, or the request carried no token, or one that was revoked or has expired.",
        "Nothing was changed.",
        "Sign in again, or send `Authorization: Bearer` with a token of `belvedere token create`.",
    ),
    "sign-in": Problem(
        "Name and password do not belong together",
        "One of the two is wrong, or the account is closed. The answer does not tell which.",
        "After five failures each further try waits longer.",
        "Check both. An admin can reset a password.",
    ),
    "forbidden": Problem(
        "Your role does not allow this",
        "Viewers look, operators run, admins change the installation. In a tenant editors send and admins manage.",
        "Nothing was changed. The refusal stands in the history.",
        "Ask somebody whose role allows it.",
    ),
    "form-expired": Problem(
        "The form is older than your session",
        "You signed out or in again after the page with the form was loaded.",
        "Nothing was changed.",
        "Reload the page and send the form again.",
    ),
    "other-site": Problem(
        "The request came from another site",
        "A page that is not ours made your browser send it, or a proxy changes the Host header.",
        "Nothing was changed.",
        "Open the page here. Behind a proxy, pass the Host header on or set BELVEDERE_TRUSTED_PROXIES.",
    ),
    "csrf": Problem(
        "A signed-in browser's request lacks its token",
        "Requests with a cookie that change something must carry the page's token.",
        "Nothing was changed.",
        "Send `X-CSRF-Token`, or use an API token in place of the cookie.",
    ),
    "password": Problem(
        "That password does not do",
        "It is short, common, like the name, or the same as before.",
        "Nothing was changed.",
        "Use at least twelve characters; three unrelated words do.",
    ),
    "last-admin": Problem(
        "It is the last admin",
        "Without an admin nobody could change the installation.",
        "Nothing was changed.",
        "Make another admin first.",
    ),
    "last-owner": Problem(
        "It is the last owner",
        "A tenant keeps an owner: without one nobody of it could manage its people or delete it.",
        "Nothing was changed.",
        "Make another member an owner first, then try again.",
    ),
    "first-member": Problem(
        "The owner joins first",
        "The tenant has no owner yet, and its first member is the owner.",
        "Nothing was changed. The link, if you came by one, still works.",
        "Let the owner accept the invitation first, or invite one.",
    ),
    "invitation": Problem(
        "This invitation does not let you in",
        "A link works once, until it ends or is withdrawn, and may be meant for one address.",
        "Nothing was changed.",
        "Ask whoever invited you for another link, or use the address that the invitation names.",
    ),
    "reason": Problem(
        "A reason is missing",
        "Who reveals a secret says why, in at least eight characters.",
        "Nothing was shown.",
        "Write why you need it. It goes to the history.",
    ),
}
