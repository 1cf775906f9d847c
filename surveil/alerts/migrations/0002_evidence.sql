-- What lies in the evidence folder, so that the oldest can be found without asking every file. `camera` is the
-- folder's name.
CREATE TABLE evidence (
    path TEXT PRIMARY KEY,
    camera TEXT NOT NULL,
    born_s REAL NOT NULL,
    bytes INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX evidence_by_age ON evidence (camera, born_s);
CREATE INDEX evidence_oldest ON evidence (born_s);
