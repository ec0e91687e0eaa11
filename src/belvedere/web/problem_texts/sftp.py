"""Problems with sending files by SFTP: users, their keys, the server's own keys."""

from typing import Final

from belvedere.web.problem_texts.problem import Problem

SFTP: Final = {
    "key": Problem(
        "A public key is not taken",
        "It is no public key in OpenSSH's form, of a kind that is too weak, or it is there already.",
        "The user's keys are as they were.",
        "Give the line of a `.pub` file: Ed25519, ECDSA, or RSA of 2,048 bits and more.",
    ),
    "too-many-keys": Problem(
        "An SFTP user has as many keys as it may",
        "Each key is tried at every sign-in, so their number is limited.",
        "The new key was not added.",
        "Remove a key that nobody uses any more.",
    ),
    "too-many-users": Problem(
        "A tenant has as many SFTP users as it may",
        "Their number is limited for each tenant.",
        "The new user was not made.",
        "Remove users that nobody needs, or give one user several keys.",
    ),
    "last-way-in": Problem(
        "Nothing else would let this SFTP user in",
        "It would have neither a password nor a key.",
        "Nothing was changed.",
        "Give it another key or a password first, or remove the user.",
    ),
    "host-keys": Problem(
        "The SFTP server's own keys cannot be used",
        "The files in `sftp/` of the home cannot be read or made, or other users may read them.",
        "The SFTP server does not start; files are taken by all other ways.",
        "Give the folder to the user that Belvedere runs as, closed to others. Keys that are lost are made anew.",
    ),
}
