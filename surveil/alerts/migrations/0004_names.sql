-- Names that say what they hold. Indexes follow.
ALTER TABLE alerts RENAME COLUMN born_s TO created_s;
ALTER TABLE deliveries RENAME COLUMN born_s TO created_s;
ALTER TABLE deliveries RENAME COLUMN demerits TO suspect_failures;
ALTER TABLE evidence RENAME COLUMN born_s TO created_s;
