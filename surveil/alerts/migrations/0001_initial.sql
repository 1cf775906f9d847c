-- An alert, and one row for each sink it goes to. `seq` is the order of commit and the only order there is:
-- wall clocks step. `born_s` is seconds on the outbox's own count of running time.
CREATE TABLE alerts (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    event_id TEXT NOT NULL,
    camera TEXT NOT NULL,
    rule TEXT NOT NULL,
    phase TEXT NOT NULL CHECK (phase IN ('start', 'end')),
    t_wall REAL NOT NULL,
    born_s REAL NOT NULL,
    body TEXT NOT NULL
);

CREATE TABLE deliveries (
    alert INTEGER NOT NULL REFERENCES alerts (seq),
    sink TEXT NOT NULL,
    event_id TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'dead')),
    attempts INTEGER NOT NULL DEFAULT 0,
    demerits INTEGER NOT NULL DEFAULT 0,
    born_s REAL NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    error TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (alert, sink)
) WITHOUT ROWID;
CREATE INDEX deliveries_pending ON deliveries (sink, demerits, alert) WHERE state = 'pending';
CREATE INDEX deliveries_by_event ON deliveries (event_id, sink, alert);
CREATE INDEX deliveries_by_state ON deliveries (sink, state);

-- Events whose start is committed and whose end is not.
CREATE TABLE open_events (event_id TEXT PRIMARY KEY, alert INTEGER NOT NULL REFERENCES alerts (seq)) WITHOUT ROWID;

-- What became of every signal, and of every alert that was not committed.
CREATE TABLE ledger (
    camera TEXT NOT NULL,
    rule TEXT NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    n INTEGER NOT NULL,
    PRIMARY KEY (camera, rule, outcome, reason)
) WITHOUT ROWID;

-- Deliveries that were deleted with their alerts, so that totals stay true.
CREATE TABLE purged (sink TEXT NOT NULL, state TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (sink, state)) WITHOUT ROWID;

-- Small state that must survive a restart: the outbox's own clock, switches, storm windows.
CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
