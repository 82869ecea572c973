CREATE TABLE staff (name TEXT PRIMARY KEY, chief TEXT REFERENCES staff);
INSERT INTO staff VALUES ('Ada', NULL), ('Ben', 'Ada'), ('Cid', 'Ada'), ('Dot', 'Ben');
