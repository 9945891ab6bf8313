-- A catalogue as Resight wrote it in lay-out 0002, with rows in every table.
PRAGMA application_id = 1381189460;
BEGIN TRANSACTION;
CREATE TABLE about (
	id INTEGER NOT NULL CONSTRAINT ck_about_one_row CHECK (id = 1), 
	model_id VARCHAR(64) NOT NULL, 
	made_with VARCHAR(32) NOT NULL, 
	made_at DATETIME NOT NULL, 
	revision INTEGER NOT NULL, 
	settings JSON DEFAULT '{}' NOT NULL, 
	CONSTRAINT pk_about PRIMARY KEY (id), 
	CONSTRAINT fk_about_model_id FOREIGN KEY(model_id) REFERENCES models (id)
);
INSERT INTO "about" VALUES(1,'mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm','0.1.0','2025-06-01 09:30:00.654321',13,'{"sides_differ": true}');
CREATE TABLE actions (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	at DATETIME NOT NULL, 
	who TEXT NOT NULL, 
	verb VARCHAR(32) NOT NULL, 
	summary TEXT NOT NULL, 
	revision INTEGER NOT NULL, 
	undoes INTEGER, 
	CONSTRAINT fk_actions_undoes FOREIGN KEY(undoes) REFERENCES actions (id)
);
INSERT INTO "actions" VALUES(1,'2025-06-01 09:30:00.654321','anna','describe','described Luna: notes, sex = female',8,NULL);
INSERT INTO "actions" VALUES(2,'2025-06-01 09:30:00.654321','anna','not-same','said that 3.jpg and 2.jpg (Sól 🐋) are not the same',9,NULL);
INSERT INTO "actions" VALUES(3,'2025-06-01 09:30:00.654321','anna','split','split 1 photo of Luna: Milo',10,NULL);
INSERT INTO "actions" VALUES(4,'2025-06-01 09:30:00.654321','ben','undo','took back: split 1 photo of Luna: Milo',11,3);
INSERT INTO "actions" VALUES(5,'2025-06-01 09:30:00.654321','ben','junk','marked 1 photo as junk',12,NULL);
INSERT INTO "actions" VALUES(6,'2025-06-01 09:30:00.654321','ben','settings','set: sides_differ is true',13,NULL);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT pk_alembic_version PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0002');
CREATE TABLE calibrations (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	at DATETIME NOT NULL, 
	model_id VARCHAR(64) NOT NULL, 
	revision INTEGER NOT NULL, 
	parameters JSON NOT NULL, 
	figures JSON NOT NULL, 
	CONSTRAINT fk_calibrations_model_id FOREIGN KEY(model_id) REFERENCES models (id)
);
INSERT INTO "calibrations" VALUES(1,'2025-06-01 12:00:00.000000','mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm',1,'{"threshold": 1.5}','{}');
CREATE TABLE changes (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	action_id INTEGER NOT NULL, 
	table_name VARCHAR(32) NOT NULL, 
	rows JSON NOT NULL, 
	"before" JSON NOT NULL, 
	"after" JSON NOT NULL, 
	CONSTRAINT fk_changes_action_id FOREIGN KEY(action_id) REFERENCES actions (id)
);
INSERT INTO "changes" VALUES(1,1,'individuals','[[1, 1]]','{"notes": "", "fields": null}','{"notes": "a nick in the fin", "fields": {"sex": "female"}}');
INSERT INTO "changes" VALUES(2,2,'not_same','[[1, 1]]','{"gone": true}','{"gone": false}');
INSERT INTO "changes" VALUES(3,3,'individuals','[[3, 3]]','{"gone": true}','{"gone": false}');
INSERT INTO "changes" VALUES(4,3,'encounters','[[2, 2]]','{"gone": true}','{"gone": false}');
INSERT INTO "changes" VALUES(5,3,'photos','[[2, 2]]','{"individual_id": 1, "encounter_id": 1}','{"individual_id": 3, "encounter_id": 2}');
INSERT INTO "changes" VALUES(6,4,'individuals','[[3, 3]]','{"gone": false}','{"gone": true}');
INSERT INTO "changes" VALUES(7,4,'encounters','[[2, 2]]','{"gone": false}','{"gone": true}');
INSERT INTO "changes" VALUES(8,4,'photos','[[2, 2]]','{"encounter_id": 2, "individual_id": 3}','{"encounter_id": 1, "individual_id": 1}');
INSERT INTO "changes" VALUES(9,5,'photos','[[4, 4]]','{"state": "in"}','{"state": "junk"}');
INSERT INTO "changes" VALUES(10,6,'about','[[1, 1]]','{"settings": {}}','{"settings": {"sides_differ": true}}');
CREATE TABLE decisions (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	action_id INTEGER, 
	at DATETIME NOT NULL, 
	who TEXT NOT NULL, 
	what VARCHAR(32) NOT NULL, 
	photo_id INTEGER, 
	individual_id INTEGER, 
	shown JSON, 
	probability FLOAT, 
	details JSON, 
	CONSTRAINT fk_decisions_action_id FOREIGN KEY(action_id) REFERENCES actions (id), 
	CONSTRAINT fk_decisions_photo_id FOREIGN KEY(photo_id) REFERENCES photos (id), 
	CONSTRAINT fk_decisions_individual_id FOREIGN KEY(individual_id) REFERENCES individuals (id)
);
INSERT INTO "decisions" VALUES(1,2,'2025-06-01 09:30:00.654321','anna','not the same',4,2,NULL,NULL,'{"other_photo": 3}');
INSERT INTO "decisions" VALUES(2,3,'2025-06-01 09:30:00.654321','anna','split',2,3,NULL,NULL,'{"was": "Luna"}');
INSERT INTO "decisions" VALUES(3,5,'2025-06-01 09:30:00.654321','ben','junk',4,NULL,NULL,NULL,NULL);
CREATE TABLE encounters (
	id INTEGER NOT NULL, 
	individual_id INTEGER, 
	name VARCHAR(200) NOT NULL, 
	began_at DATETIME, 
	place TEXT, 
	latitude FLOAT, 
	longitude FLOAT, 
	observer TEXT, 
	gone BOOLEAN DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_encounters PRIMARY KEY (id), 
	CONSTRAINT uq_encounters_id_individual_id UNIQUE (id, individual_id), 
	CONSTRAINT fk_encounters_individual_id FOREIGN KEY(individual_id) REFERENCES individuals (id)
);
INSERT INTO "encounters" VALUES(1,1,'Monday',NULL,'Húsavík',66.04,-17.34,'Anna',0);
INSERT INTO "encounters" VALUES(2,3,'Monday',NULL,'Húsavík',66.04,-17.34,'Anna',1);
CREATE TABLE fingerprints (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	model_id VARCHAR(64) NOT NULL, 
	photo_id INTEGER NOT NULL, 
	dim INTEGER NOT NULL, 
	vector BLOB NOT NULL, 
	CONSTRAINT uq_fingerprints_model_id_photo_id UNIQUE (model_id, photo_id), 
	CONSTRAINT fk_fingerprints_model_id FOREIGN KEY(model_id) REFERENCES models (id), 
	CONSTRAINT fk_fingerprints_photo_id FOREIGN KEY(photo_id) REFERENCES photos (id)
);
INSERT INTO "fingerprints" VALUES(1,'mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm',1,4,X'0000803F000000000000000000000000');
INSERT INTO "fingerprints" VALUES(2,'mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm',2,4,X'000000000000803F0000000000000000');
INSERT INTO "fingerprints" VALUES(3,'mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm',3,4,X'00000000000000000000803F00000000');
INSERT INTO "fingerprints" VALUES(4,'mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm',4,4,X'0000000000000000000000000000803F');
CREATE TABLE individuals (
	id INTEGER NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	notes TEXT DEFAULT '' NOT NULL, 
	fields JSON, 
	added_at DATETIME NOT NULL, 
	gone BOOLEAN DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_individuals PRIMARY KEY (id)
);
INSERT INTO "individuals" VALUES(1,'Luna','a nick in the fin','{"sex": "female"}','2025-06-01 12:00:00.000000',0);
INSERT INTO "individuals" VALUES(2,'Sól 🐋','',NULL,'2025-06-01 12:00:00.000000',0);
INSERT INTO "individuals" VALUES(3,'Milo','',NULL,'2025-06-01 09:30:00.654321',1);
CREATE TABLE models (
	id VARCHAR(64) NOT NULL, 
	card TEXT NOT NULL, 
	path TEXT NOT NULL, 
	added_at DATETIME NOT NULL, 
	CONSTRAINT pk_models PRIMARY KEY (id)
);
INSERT INTO "models" VALUES('mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm','{"body": "none", "channels": 1, "content_hash": "mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm", "dim": 4, "fill": 0, "fit": "pad", "format": 1, "licence": "", "metrics": {}, "size": [28, 28], "training": {}, "version": "0"}','/photos/none.onnx','2025-06-01 09:30:00.654321');
CREATE TABLE not_same (
	id INTEGER NOT NULL, 
	first_photo_id INTEGER NOT NULL, 
	second_photo_id INTEGER NOT NULL, 
	decision_id INTEGER NOT NULL, 
	gone BOOLEAN DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_not_same PRIMARY KEY (id), 
	CONSTRAINT uq_not_same_first_photo_id_second_photo_id UNIQUE (first_photo_id, second_photo_id), 
	CONSTRAINT ck_not_same_ordered CHECK (first_photo_id < second_photo_id), 
	CONSTRAINT fk_not_same_first_photo_id FOREIGN KEY(first_photo_id) REFERENCES photos (id), 
	CONSTRAINT fk_not_same_second_photo_id FOREIGN KEY(second_photo_id) REFERENCES photos (id), 
	CONSTRAINT fk_not_same_decision_id FOREIGN KEY(decision_id) REFERENCES decisions (id)
);
INSERT INTO "not_same" VALUES(1,3,4,1,0);
CREATE TABLE photos (
	id INTEGER NOT NULL, 
	content_hash VARCHAR(64) NOT NULL, 
	box VARCHAR(64) DEFAULT '' NOT NULL, 
	path TEXT NOT NULL, 
	individual_id INTEGER, 
	encounter_id INTEGER, 
	taken_at DATETIME, 
	side VARCHAR(32), 
	quality FLOAT, 
	added_at DATETIME NOT NULL, 
	state VARCHAR(8) DEFAULT 'in' NOT NULL, 
	changed INTEGER DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_photos PRIMARY KEY (id), 
	CONSTRAINT uq_photos_content_hash_box UNIQUE (content_hash, box), 
	CONSTRAINT fk_photos_encounter_id_individual_id FOREIGN KEY(encounter_id, individual_id) REFERENCES encounters (id, individual_id) ON UPDATE CASCADE, 
	CONSTRAINT ck_photos_state CHECK (state IN ('in', 'junk', 'gone')), 
	CONSTRAINT fk_photos_individual_id FOREIGN KEY(individual_id) REFERENCES individuals (id)
);
INSERT INTO "photos" VALUES(1,'5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9','','0.jpg',1,1,NULL,'left',NULL,'2025-06-01 12:00:00.000000','in',0);
INSERT INTO "photos" VALUES(2,'6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b','','1.jpg',1,1,NULL,'left',NULL,'2025-06-01 12:00:00.000000','in',11);
INSERT INTO "photos" VALUES(3,'d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35','','2.jpg',2,NULL,NULL,NULL,NULL,'2025-06-01 12:00:00.000000','in',0);
INSERT INTO "photos" VALUES(4,'4e07408562bedb8b60ce05c1decfe3ad16b72230967de01f640b7e4729b49fce','','3.jpg',NULL,NULL,NULL,NULL,NULL,'2025-06-01 12:00:00.000000','junk',12);
CREATE UNIQUE INDEX uq_individuals_name_here ON individuals (name) WHERE gone = 0;
CREATE INDEX ix_actions_undoes ON actions (undoes);
CREATE TRIGGER actions_no_update BEFORE UPDATE ON actions BEGIN SELECT RAISE(ABORT, 'actions are only ever added'); END;
CREATE TRIGGER actions_no_delete BEFORE DELETE ON actions BEGIN SELECT RAISE(ABORT, 'actions are only ever added'); END;
CREATE INDEX ix_encounters_individual_id ON encounters (individual_id);
CREATE UNIQUE INDEX uq_encounters_name_here ON encounters (coalesce(individual_id, 0), name) WHERE gone = 0;
CREATE INDEX ix_changes_action_id ON changes (action_id);
CREATE TRIGGER changes_no_update BEFORE UPDATE ON changes BEGIN SELECT RAISE(ABORT, 'changes are only ever added'); END;
CREATE TRIGGER changes_no_delete BEFORE DELETE ON changes BEGIN SELECT RAISE(ABORT, 'changes are only ever added'); END;
CREATE INDEX ix_calibrations_model_id ON calibrations (model_id);
CREATE INDEX ix_photos_encounter_id ON photos (encounter_id);
CREATE INDEX ix_photos_changed ON photos (changed);
CREATE INDEX ix_photos_individual_id ON photos (individual_id);
CREATE INDEX ix_fingerprints_photo_id ON fingerprints (photo_id);
CREATE INDEX ix_decisions_photo_id ON decisions (photo_id);
CREATE INDEX ix_decisions_individual_id ON decisions (individual_id);
CREATE INDEX ix_decisions_action_id ON decisions (action_id);
CREATE TRIGGER decisions_no_update BEFORE UPDATE ON decisions BEGIN SELECT RAISE(ABORT, 'decisions are only ever added'); END;
CREATE TRIGGER decisions_no_delete BEFORE DELETE ON decisions BEGIN SELECT RAISE(ABORT, 'decisions are only ever added'); END;
CREATE INDEX ix_not_same_second_photo_id ON not_same (second_photo_id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('calibrations',1);
INSERT INTO "sqlite_sequence" VALUES('fingerprints',4);
INSERT INTO "sqlite_sequence" VALUES('actions',6);
INSERT INTO "sqlite_sequence" VALUES('changes',10);
INSERT INTO "sqlite_sequence" VALUES('decisions',3);
COMMIT;
