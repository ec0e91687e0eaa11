"""Who somebody is: operators' accounts and passwords, sessions, API tokens, the brake on guessing, flash messages."""
