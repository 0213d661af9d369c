-- store_open.c fills in the placeholders with sqlite3_mprintf.
BEGIN IMMEDIATE;
CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;
INSERT INTO meta VALUES ('plan_xxh3', %lld), ('base_xxh3', %lld), ('key_fingerprint', %lld);
CREATE TABLE model (
    id INTEGER PRIMARY KEY, version INTEGER, sha256 TEXT, threshold REAL, first_used INTEGER,
    UNIQUE (sha256, version));
CREATE TABLE input (number INTEGER PRIMARY KEY, name TEXT);
INSERT INTO input VALUES %s;
CREATE TABLE seen (id INTEGER PRIMARY KEY, seq INTEGER);
CREATE TABLE feedback (
    seq INTEGER PRIMARY KEY, received INTEGER, clock INTEGER, prediction INTEGER, was INTEGER,
    label INTEGER);
CREATE INDEX feedback_prediction ON feedback (prediction, seq);
CREATE TABLE prediction (
    seq INTEGER PRIMARY KEY, received INTEGER, clock INTEGER, model INTEGER REFERENCES model,
    probability REAL, review INTEGER,
    reason_1 INTEGER, contribution_1 REAL, reason_2 INTEGER, contribution_2 REAL,
    reason_3 INTEGER, contribution_3 REAL, reason_4 INTEGER, contribution_4 REAL,
    inputs BLOB, label_values BLOB%s, outside BLOB);
CREATE VIEW label AS
    SELECT prediction, label, received, clock, max(seq) AS seq FROM feedback GROUP BY prediction;
PRAGMA application_id = %d;
PRAGMA user_version = %d;
COMMIT
