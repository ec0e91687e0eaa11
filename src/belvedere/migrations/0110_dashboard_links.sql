-- The last part of the address by which messages lead to a dashboard, wherever it stands by then. Nobody can guess one.

ALTER TABLE dashboard ADD COLUMN link text NOT NULL DEFAULT replace(gen_random_uuid()::text, '-', '');
CREATE UNIQUE INDEX dashboard_link ON dashboard (link);
