-- One row for each event: what a list of events is read from, and what people say of them. Kept by triggers, so that
-- whatever adds or deletes alerts keeps it true. `ending` is the row of the alert that ends the event.
-- It is terse because the whole schema must fit into the first page of the file: salvage gives a damaged database that
-- of a fresh one.
CREATE TABLE events (
alert INTEGER PRIMARY KEY, event_id TEXT NOT NULL UNIQUE, camera TEXT, rule TEXT, label TEXT, t_wall REAL,
ending INTEGER, verdict TEXT, class TEXT, note TEXT, judge TEXT, judged REAL, acknowledged REAL);
CREATE INDEX events_time ON events (t_wall);
CREATE INDEX events_camera ON events (camera, t_wall);
CREATE INDEX events_rule ON events (rule, t_wall);
CREATE INDEX events_label ON events (label, t_wall);
CREATE INDEX events_judged ON events (t_wall) WHERE verdict IS NOT NULL;
CREATE TRIGGER event_start AFTER INSERT ON alerts WHEN new.phase = 'start' BEGIN
INSERT OR IGNORE INTO events (alert, event_id, camera, rule, t_wall, label)
VALUES (new.seq, new.event_id, new.camera, new.rule, new.t_wall,
iif(json_valid(new.body), json_extract(new.body, '$.label'), ''));
END;
CREATE TRIGGER event_end AFTER INSERT ON alerts WHEN new.phase = 'end' BEGIN
UPDATE events SET ending = new.seq WHERE event_id = new.event_id;
END;
CREATE TRIGGER event_gone AFTER DELETE ON alerts BEGIN
DELETE FROM events WHERE alert = old.seq;
END;
INSERT OR IGNORE INTO events (alert, event_id, camera, rule, t_wall, label)
SELECT seq, event_id, camera, rule, t_wall, iif(json_valid(body), json_extract(body, '$.label'), '')
FROM alerts WHERE phase = 'start' ORDER BY seq;
UPDATE events SET ending = a.seq FROM alerts a WHERE a.event_id = events.event_id AND a.phase = 'end';
