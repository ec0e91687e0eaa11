-- A page that was made public for the length of a capture is written down first, so that it never stays.

ALTER TABLE grafana_object DROP CONSTRAINT grafana_object_kind_check;
ALTER TABLE grafana_object
    ADD CHECK (kind IN ('source', 'folder', 'board', 'account', 'capture', 'team', 'member', 'public'));
