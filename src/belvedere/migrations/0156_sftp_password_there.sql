-- Whether the password that an SFTPGo has of a user that was taken over is the one that lets it in. It ends when one is
-- made here, and when the user is to come in by its keys alone.

ALTER TABLE sftp_user ADD COLUMN password_there boolean NOT NULL DEFAULT false;
UPDATE sftp_user SET password_there = true WHERE source = 'sftpgo' AND password_hash IS NULL;
