-- A catalogue as Resight 0.1 wrote it (lay-out 0001), with rows in every table.
PRAGMA application_id = 1381189460;
BEGIN TRANSACTION;
CREATE TABLE about (
	id INTEGER NOT NULL CONSTRAINT ck_about_one_row CHECK (id = 1), 
	model_id VARCHAR(64) NOT NULL, 
	made_with VARCHAR(32) NOT NULL, 
	made_at DATETIME NOT NULL, 
	revision INTEGER NOT NULL, 
	CONSTRAINT pk_about PRIMARY KEY (id), 
	CONSTRAINT fk_about_model_id FOREIGN KEY(model_id) REFERENCES models (id)
);
INSERT INTO "about" VALUES(1,'5e5e5e5e5e5e5e5e','0.1.0','2025-05-01 12:30:00.123456',3);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT pk_alembic_version PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE decisions (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	at DATETIME NOT NULL, 
	who TEXT NOT NULL, 
	what VARCHAR(32) NOT NULL, 
	photo_id INTEGER, 
	individual_id INTEGER, 
	shown JSON, 
	probability FLOAT, 
	details JSON, 
	CONSTRAINT fk_decisions_photo_id FOREIGN KEY(photo_id) REFERENCES photos (id), 
	CONSTRAINT fk_decisions_individual_id FOREIGN KEY(individual_id) REFERENCES individuals (id)
);
INSERT INTO "decisions" VALUES(1,'2025-05-01 12:30:00.123456','anna','enrol',1,1,'[{"name": "Luna"}]',0.75,'null');
INSERT INTO "decisions" VALUES(2,'2025-05-01 12:30:00.123456','anna','enrol',2,2,'null',NULL,'null');
INSERT INTO "decisions" VALUES(3,'2025-05-01 12:30:00.123456','anna','enrol',3,2,'null',NULL,'null');
INSERT INTO "decisions" VALUES(4,'2025-05-01 12:30:00.123456','anna','enrol',4,5,'null',NULL,'null');
INSERT INTO "decisions" VALUES(5,'2025-05-01 12:30:00.123456','anna','not the same',1,NULL,NULL,NULL,'{"other": 3}');
CREATE TABLE encounters (
	id INTEGER NOT NULL, 
	individual_id INTEGER, 
	name VARCHAR(200) NOT NULL, 
	began_at DATETIME, 
	place TEXT, 
	latitude FLOAT, 
	longitude FLOAT, 
	observer TEXT, 
	CONSTRAINT pk_encounters PRIMARY KEY (id), 
	CONSTRAINT uq_encounters_individual_id_name UNIQUE (individual_id, name), 
	CONSTRAINT uq_encounters_id_individual_id UNIQUE (id, individual_id), 
	CONSTRAINT fk_encounters_individual_id FOREIGN KEY(individual_id) REFERENCES individuals (id)
);
INSERT INTO "encounters" VALUES(1,1,'Monday','2025-05-01 12:30:00.123456','Húsavík',66.04,-17.34,'Anna');
INSERT INTO "encounters" VALUES(2,2,'Monday',NULL,NULL,NULL,NULL,NULL);
CREATE TABLE fingerprints (
	model_id VARCHAR(64) NOT NULL, 
	photo_id INTEGER NOT NULL, 
	dim INTEGER NOT NULL, 
	vector BLOB NOT NULL, 
	CONSTRAINT pk_fingerprints PRIMARY KEY (model_id, photo_id), 
	CONSTRAINT fk_fingerprints_model_id FOREIGN KEY(model_id) REFERENCES models (id), 
	CONSTRAINT fk_fingerprints_photo_id FOREIGN KEY(photo_id) REFERENCES photos (id)
);
INSERT INTO "fingerprints" VALUES('5e5e5e5e5e5e5e5e',2,4,X'9A99193FCDCC4C3F0000000000000000');
INSERT INTO "fingerprints" VALUES('5e5e5e5e5e5e5e5e',1,4,X'0000803F000000000000000000000000');
INSERT INTO "fingerprints" VALUES('5e5e5e5e5e5e5e5e',4,4,X'0000003F0000003F0000003F0000003F');
INSERT INTO "fingerprints" VALUES('5e5e5e5e5e5e5e5e',3,4,X'00000000000000009A99193FCDCC4CBF');
CREATE TABLE individuals (
	id INTEGER NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	notes TEXT DEFAULT '' NOT NULL, 
	fields JSON, 
	added_at DATETIME NOT NULL, 
	CONSTRAINT pk_individuals PRIMARY KEY (id), 
	CONSTRAINT uq_individuals_name UNIQUE (name)
);
INSERT INTO "individuals" VALUES(1,'Luna','the one with the ''notch''; %(x)s','{"sex": "f"}','2025-05-01 12:30:00.123456');
INSERT INTO "individuals" VALUES(2,'Sól 🐋','','null','2025-05-01 12:30:00.123456');
INSERT INTO "individuals" VALUES(5,'Milo','','{"age": 3}','2025-05-01 12:30:00.123456');
CREATE TABLE models (
	id VARCHAR(64) NOT NULL, 
	card TEXT NOT NULL, 
	path TEXT NOT NULL, 
	added_at DATETIME NOT NULL, 
	CONSTRAINT pk_models PRIMARY KEY (id)
);
INSERT INTO "models" VALUES('5e5e5e5e5e5e5e5e','{"body": "random projection", "channels": 1, "content_hash": "5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e", "dim": 4, "fill": 0, "fit": "pad", "format": 1, "licence": "", "metrics": {}, "size": [28, 28], "training": {}, "version": "0.1.0"}','models/whales.onnx','2025-05-01 12:30:00.123456');
CREATE TABLE not_same (
	first_photo_id INTEGER NOT NULL, 
	second_photo_id INTEGER NOT NULL, 
	decision_id INTEGER NOT NULL, 
	CONSTRAINT pk_not_same PRIMARY KEY (first_photo_id, second_photo_id), 
	CONSTRAINT ck_not_same_ordered CHECK (first_photo_id < second_photo_id), 
	CONSTRAINT fk_not_same_first_photo_id FOREIGN KEY(first_photo_id) REFERENCES photos (id), 
	CONSTRAINT fk_not_same_second_photo_id FOREIGN KEY(second_photo_id) REFERENCES photos (id), 
	CONSTRAINT fk_not_same_decision_id FOREIGN KEY(decision_id) REFERENCES decisions (id)
);
INSERT INTO "not_same" VALUES(1,3,5);
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
	CONSTRAINT pk_photos PRIMARY KEY (id), 
	CONSTRAINT uq_photos_content_hash_box UNIQUE (content_hash, box), 
	CONSTRAINT fk_photos_encounter_id_individual_id FOREIGN KEY(encounter_id, individual_id) REFERENCES encounters (id, individual_id) ON UPDATE CASCADE, 
	CONSTRAINT fk_photos_individual_id FOREIGN KEY(individual_id) REFERENCES individuals (id)
);
INSERT INTO "photos" VALUES(1,'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb','','in/a.jpg',1,1,'2025-04-01 09:08:07.000000','left',0.5,'2025-05-01 12:30:00.123456');
INSERT INTO "photos" VALUES(2,'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb','1,2,30,40','in/a.jpg',2,2,NULL,NULL,NULL,'2025-05-01 12:30:00.123456');
INSERT INTO "photos" VALUES(3,'3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d','','/elsewhere/b.jpg',2,NULL,NULL,'right',NULL,'2025-05-01 12:30:00.123456');
INSERT INTO "photos" VALUES(4,'2e7d2c03a9507ae265ecf5b5356885a53393a2029d241394997265a1a25aefc6','','in/c.jpg',5,NULL,NULL,NULL,NULL,'2025-05-01 12:30:00.123456');
INSERT INTO "photos" VALUES(5,'18ac3e7343f016890c510e93f935261169d9e3f565436429830faf0934f4f8e4','','in/d.jpg',NULL,NULL,NULL,NULL,NULL,'2025-05-01 12:30:00.123456');
CREATE INDEX ix_photos_individual_id ON photos (individual_id);
CREATE INDEX ix_photos_encounter_id ON photos (encounter_id);
CREATE INDEX ix_fingerprints_photo_id ON fingerprints (photo_id);
CREATE INDEX ix_decisions_individual_id ON decisions (individual_id);
CREATE INDEX ix_decisions_photo_id ON decisions (photo_id);
CREATE TRIGGER decisions_no_update BEFORE UPDATE ON decisions BEGIN SELECT RAISE(ABORT, 'decisions are only ever added'); END;
CREATE TRIGGER decisions_no_delete BEFORE DELETE ON decisions BEGIN SELECT RAISE(ABORT, 'decisions are only ever added'); END;
CREATE INDEX ix_not_same_second_photo_id ON not_same (second_photo_id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('decisions',5);
COMMIT;
