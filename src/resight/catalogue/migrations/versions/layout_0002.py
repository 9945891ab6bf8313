"""The living catalogue: actions and undo, junk, several models side by side, calibration.

On SQLite, where alone the first lay-out was kept. The statements stand here as they were then: a
later change of `schema.py` is the next step's business.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

_NEW = {
    "actions": """
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        at DATETIME NOT NULL,
        who TEXT NOT NULL,
        verb VARCHAR(32) NOT NULL,
        summary TEXT NOT NULL,
        revision INTEGER NOT NULL,
        undoes INTEGER,
        CONSTRAINT fk_actions_undoes FOREIGN KEY(undoes) REFERENCES actions (id)
    """,
    "changes": """
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        action_id INTEGER NOT NULL,
        table_name VARCHAR(32) NOT NULL,
        rows JSON NOT NULL,
        "before" JSON NOT NULL,
        "after" JSON NOT NULL,
        CONSTRAINT fk_changes_action_id FOREIGN KEY(action_id) REFERENCES actions (id)
    """,
    "calibrations": """
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        at DATETIME NOT NULL,
        model_id VARCHAR(64) NOT NULL,
        revision INTEGER NOT NULL,
        parameters JSON NOT NULL,
        figures JSON NOT NULL,
        CONSTRAINT fk_calibrations_model_id FOREIGN KEY(model_id) REFERENCES models (id)
    """,
}

# Tables that were there; what they held goes into those of these columns that they had.
_REBUILT = {
    "about": """
        id INTEGER NOT NULL CONSTRAINT ck_about_one_row CHECK (id = 1),
        model_id VARCHAR(64) NOT NULL,
        made_with VARCHAR(32) NOT NULL,
        made_at DATETIME NOT NULL,
        revision INTEGER NOT NULL,
        settings JSON DEFAULT '{}' NOT NULL,
        CONSTRAINT pk_about PRIMARY KEY (id),
        CONSTRAINT fk_about_model_id FOREIGN KEY(model_id) REFERENCES models (id)
    """,
    "individuals": """
        id INTEGER NOT NULL,
        name VARCHAR(200) NOT NULL,
        notes TEXT DEFAULT '' NOT NULL,
        fields JSON,
        added_at DATETIME NOT NULL,
        gone BOOLEAN DEFAULT 0 NOT NULL,
        CONSTRAINT pk_individuals PRIMARY KEY (id)
    """,
    "encounters": """
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
        CONSTRAINT fk_encounters_individual_id FOREIGN KEY(individual_id)
            REFERENCES individuals (id)
    """,
    "photos": """
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
        CONSTRAINT fk_photos_encounter_id_individual_id FOREIGN KEY(encounter_id, individual_id)
            REFERENCES encounters (id, individual_id) ON UPDATE CASCADE,
        CONSTRAINT ck_photos_state CHECK (state IN ('in', 'junk', 'gone')),
        CONSTRAINT fk_photos_individual_id FOREIGN KEY(individual_id) REFERENCES individuals (id)
    """,
    "fingerprints": """
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        model_id VARCHAR(64) NOT NULL,
        photo_id INTEGER NOT NULL,
        dim INTEGER NOT NULL,
        vector BLOB NOT NULL,
        CONSTRAINT uq_fingerprints_model_id_photo_id UNIQUE (model_id, photo_id),
        CONSTRAINT fk_fingerprints_model_id FOREIGN KEY(model_id) REFERENCES models (id),
        CONSTRAINT fk_fingerprints_photo_id FOREIGN KEY(photo_id) REFERENCES photos (id)
    """,
    "decisions": """
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
    """,
    "not_same": """
        id INTEGER NOT NULL,
        first_photo_id INTEGER NOT NULL,
        second_photo_id INTEGER NOT NULL,
        decision_id INTEGER NOT NULL,
        gone BOOLEAN DEFAULT 0 NOT NULL,
        CONSTRAINT pk_not_same PRIMARY KEY (id),
        CONSTRAINT uq_not_same_first_photo_id_second_photo_id
            UNIQUE (first_photo_id, second_photo_id),
        CONSTRAINT ck_not_same_ordered CHECK (first_photo_id < second_photo_id),
        CONSTRAINT fk_not_same_first_photo_id FOREIGN KEY(first_photo_id) REFERENCES photos (id),
        CONSTRAINT fk_not_same_second_photo_id FOREIGN KEY(second_photo_id) REFERENCES photos (id),
        CONSTRAINT fk_not_same_decision_id FOREIGN KEY(decision_id) REFERENCES decisions (id)
    """,
}

_REST = (
    "CREATE INDEX ix_actions_undoes ON actions (undoes)",
    "CREATE INDEX ix_changes_action_id ON changes (action_id)",
    "CREATE INDEX ix_calibrations_model_id ON calibrations (model_id)",
    "CREATE UNIQUE INDEX uq_individuals_name_here ON individuals (name) WHERE gone = 0",
    "CREATE UNIQUE INDEX uq_encounters_name_here ON encounters "
    "(coalesce(individual_id, 0), name) WHERE gone = 0",
    "CREATE INDEX ix_encounters_individual_id ON encounters (individual_id)",
    "CREATE INDEX ix_photos_encounter_id ON photos (encounter_id)",
    "CREATE INDEX ix_photos_changed ON photos (changed)",
    "CREATE INDEX ix_photos_individual_id ON photos (individual_id)",
    "CREATE INDEX ix_fingerprints_photo_id ON fingerprints (photo_id)",
    "CREATE INDEX ix_decisions_individual_id ON decisions (individual_id)",
    "CREATE INDEX ix_decisions_action_id ON decisions (action_id)",
    "CREATE INDEX ix_decisions_photo_id ON decisions (photo_id)",
    "CREATE INDEX ix_not_same_second_photo_id ON not_same (second_photo_id)",
)


def upgrade() -> None:
    """Make what is new, and make again, with its rows, what has changed."""
    for name, columns in _NEW.items():
        op.execute(f"CREATE TABLE {name} ({columns})")
    for name, columns in _REBUILT.items():
        op.execute(f"CREATE TABLE new_{name} ({columns})")
        held = ", ".join(_columns(name))
        # In the order in which they were written, which a fingerprint's id is from now on.
        op.execute(f"INSERT INTO new_{name} ({held}) SELECT {held} FROM {name} ORDER BY rowid")
        op.execute(f"DROP TABLE {name}")
        op.execute(f"ALTER TABLE new_{name} RENAME TO {name}")
    for statement in _REST:
        op.execute(statement)
    for table in ("actions", "changes", "decisions"):
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} are only ever added'); END"
            )


def _columns(table: str) -> list[str]:
    found = op.get_bind().exec_driver_sql(f"PRAGMA table_info({table})")
    return [row[1] for row in found]
