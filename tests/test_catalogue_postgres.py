"""A catalogue on PostgreSQL: the same as in a file, and what goes wrong is told in one line."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

import catalogues
from catalogues import unit_vectors, write_files, write_photos
from command_line import resight
from resight.catalogue import Catalogue, schema
from resight.catalogue import postgres as engine
from resight.catalogue.store import Store, create_store, open_store
from resight.errors import UnusableCatalogue

psycopg = pytest.importorskip("psycopg", reason="no PostgreSQL driver (pip install psycopg)")


def refusal(action: Callable[[], object]) -> str:
    message = catalogues.refusal(action, UnusableCatalogue)
    assert "secret" not in message
    return message


def new(place: str) -> Store:
    return create_store(place, model_id="x", card="{}", model_path=Path("x.onnx"))


@pytest.fixture
def database(postgres_server: str) -> Iterator[Callable[..., str]]:
    """Makes databases of their own, with some statements run in them."""
    made = []

    def make(*statements: str) -> str:
        name = f"database_{os.getpid()}_{time.monotonic_ns()}"
        with psycopg.connect(postgres_server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        made.append(name)
        url = sa.make_url(postgres_server).set(database=name).render_as_string(False)
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)
        return url

    yield make
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        for name in made:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_both_engines_give_the_same_answers(postgres, tmp_path, tiny_model):
    vectors, queries = unit_vectors(30), unit_vectors(5, seed=9)
    answers = []
    for place in (tmp_path / "c.db", postgres):
        with Catalogue.open(place, model=tiny_model, create=True) as catalogue:
            for who in range(6):
                catalogue.enrol(
                    f"who {who}",
                    write_files(tmp_path / "in", 5, word=f"{who}"),
                    vectors=vectors[5 * who : 5 * who + 5],
                )
        with Catalogue.open(place) as catalogue:
            found = catalogue.identify_vectors(queries, top=4)
            answers.append([[(c.individual, c.distance) for c in a.candidates] for a in found])
            assert np.array_equal(catalogue.vectors()[0], vectors)
    assert answers[0] == answers[1]


def test_photos_keep_absolute_paths_there(postgres, tmp_path, tiny_model, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (photo,) = write_files(tmp_path / "in", 1)
    with Catalogue.open(postgres, model=tiny_model, create=True) as catalogue:
        catalogue.enrol("Luna", ["in/file-0.png"], vectors=unit_vectors(1))
        assert catalogue.photos_of("Luna")[0].path == photo
    with open_store(postgres).reading() as connection:
        assert connection.scalar(sa.select(schema.photos.c.path)) == str(photo)
    monkeypatch.chdir("/")
    with Catalogue.open(postgres) as catalogue:
        assert catalogue.photos_of("Luna")[0].path == photo


def test_a_database_holds_several_catalogues_and_other_things(database):
    url = database("CREATE TABLE about (mine int)", "CREATE TABLE photos (mine int)")
    join = "&" if "?" in url else "?"
    stores = [new(url), new(f"{url}{join}schema=whales"), new(f'{url}{join}schema=odd "Name; é')]
    for number, store in enumerate(stores):
        with store.writing() as connection:
            connection.execute(sa.update(schema.about).values(made_with=str(number)))
    for number, store in enumerate(stores):
        with store.reading() as connection:
            assert connection.scalar(sa.select(schema.about.c.made_with)) == str(number)
        store.close()
    message = refusal(lambda: open_store(f"{url}{join}schema=public"))
    assert "tables of another program" in message
    assert message == refusal(lambda: new(f"{url}{join}schema=public"))
    message = refusal(lambda: open_store(f"{url}{join}schema=none"))
    assert "no catalogue here (in the schema 'none')" in message
    assert "--model" in message


def test_pgvector_may_be_in_a_schema_of_its_own(database):
    url = database("CREATE SCHEMA extensions", "CREATE EXTENSION vector SCHEMA extensions")
    store = new(url)
    with store.reading() as connection:
        assert connection.exec_driver_sql("SELECT '[1,2]'::vector <-> '[1,4]'").scalar() == 2
    store.close()


def test_what_its_user_may_not_do_is_told(database, postgres_server):
    role = f"guest_{os.getpid()}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'secret'")
    try:
        url = database("CREATE EXTENSION vector")
        guest = sa.make_url(url).set(username=role, password="secret").render_as_string(False)
        assert "may not" in refusal(lambda: new(guest))
        new(url).close()
        assert "may not" in refusal(lambda: open_store(guest))
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"GRANT USAGE ON SCHEMA resight TO {role}")
            connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA resight TO {role}")
        reader = open_store(guest)  # who may only read, reads
        message = refusal(lambda: reader.writing().__enter__())
        assert "may not" in message
        assert f"postgresql://{role}@" in message
        reader.close()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"DROP OWNED BY {role}")
    finally:
        with psycopg.connect(postgres_server, autocommit=True) as connection:
            connection.execute(f"DROP OWNED BY {role}")
            connection.execute(f"DROP ROLE {role}")


@pytest.mark.skipif("RESIGHT_TEST_POSTGRES" in os.environ, reason="not our server to set up")
def test_a_wrong_password_is_told_and_shown_to_nobody(postgres_server):
    role = f"checked_{os.getpid()}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'right'")
        rules = Path(connection.execute("SHOW hba_file").fetchone()[0])
        rules.write_text(f"local all {role} scram-sha-256\n{rules.read_text()}")
        connection.execute("SELECT pg_reload_conf()")
        time.sleep(0.2)
        url = sa.make_url(postgres_server).set(username=role)
        for wrong in (url.set(password="secret"), url.update_query_dict({"password": "secret"})):
            message = refusal(lambda w=wrong: open_store(w.render_as_string(False)))
            assert "refuses this user or password" in message
            assert role in message
        assert "password" in refusal(lambda: open_store(url.render_as_string(False)))
        message = refusal(lambda: open_store(url.set(password="right").render_as_string(False)))
        assert "no catalogue here" in message
        connection.execute(f"DROP ROLE {role}")


def test_a_server_that_does_not_answer_is_told():
    for place in (
        "postgresql://me:secret@127.0.0.1:1/whales",
        "postgres://me@127.0.0.1:1/whales?password=secret",
        "postgresql://me:secret@nowhere.invalid/whales",
        "postgresql:///whales?host=/nowhere",
    ):
        assert "does not answer" in refusal(lambda p=place: open_store(p))
        assert "does not answer" in refusal(lambda p=place: new(p))


def test_what_is_no_url_is_told():
    for place in (
        "postgresql://me:secret@host:port/whales",
        "postgresql://me:secret@host/whales?schema=",
        f"postgresql://me:secret@host/whales?schema={'a' * 64}",
    ):
        refusal(lambda p=place: open_store(p))
    assert "SQLite" in refusal(lambda: open_store("mysql://me:secret@host/whales"))


def test_no_such_database_is_told(postgres_server):
    url = sa.make_url(postgres_server).set(database="nowhere").render_as_string(False)
    assert "no such database" in refusal(lambda: open_store(url))


def test_without_the_driver_it_says_what_to_install():
    script = """
import sys
sys.modules["psycopg"] = None
from resight.catalogue.store import open_store
from resight.errors import UnusableCatalogue
try:
    open_store("postgresql://me:secret@host/whales")
except UnusableCatalogue as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "needs psycopg" in done.stdout
    assert "pip install 'resight[postgres]'" in done.stdout
    assert "secret" not in done.stdout + done.stderr


def test_who_waits_too_long_is_told_and_writes_later(postgres, monkeypatch):
    monkeypatch.setattr(engine, "PATIENCE_SECONDS", 0.2)
    one, two = new(postgres), open_store(postgres)
    with one.writing():
        message = refusal(lambda: two.writing().__enter__())
        assert "another program has held it" in message
        with two.reading() as connection:  # but reading is always possible
            assert connection.scalar(sa.select(schema.about.c.revision)) == 0
    with two.writing():
        pass
    with two.reading() as connection:
        assert connection.scalar(sa.select(schema.about.c.revision)) == 2
    one.close()
    two.close()


def test_a_lost_connection_loses_nothing(postgres, postgres_server):
    store = new(postgres)
    own = sa.text("SELECT pg_backend_pid()")

    def cut(pid: int) -> None:
        with psycopg.connect(postgres_server, autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

    def cut_in_the_middle() -> None:
        with store.writing() as connection:
            connection.execute(sa.update(schema.about).values(made_with="half"))
            cut(connection.scalar(own))
            connection.execute(sa.update(schema.about).values(made_with="whole"))

    message = refusal(cut_in_the_middle)
    assert "server" in message
    with store.reading() as connection:  # with another connection, unasked
        assert connection.scalar(sa.select(schema.about.c.made_with)) not in ("half", "whole")
        pid = connection.scalar(own)
    cut(pid)  # while nobody used it
    with store.writing() as connection:
        connection.execute(sa.update(schema.about).values(made_with="whole"))
    store.close()


def test_a_server_with_other_habits_makes_no_difference(database):
    """Serializable by default, another time zone, another path."""
    url = database()
    name = sa.make_url(url).database
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            f"ALTER DATABASE {name} SET default_transaction_isolation TO serializable"
        )
        connection.execute(f"ALTER DATABASE {name} SET timezone TO 'Asia/Kathmandu'")
        connection.execute(f"ALTER DATABASE {name} SET search_path TO nowhere")
    one, two = new(url), open_store(url)
    with one.writing() as first:
        made_at = first.scalar(sa.select(schema.about.c.made_at))
        assert made_at.utcoffset().total_seconds() == 0
        assert first.scalar(sa.text("SHOW transaction_isolation")) == "read committed"
    with two.reading() as reader:
        assert reader.scalar(sa.text("SHOW transaction_isolation")) == "repeatable read"
        with pytest.raises(UnusableCatalogue, match="read-only"), two._in_words():
            reader.execute(sa.update(schema.about).values(made_with="x"))
    one.close()
    two.close()


def test_the_commands_take_its_url(postgres, tmp_path, tiny_model):
    photos = write_photos(tmp_path / "in", 4)
    ran = resight("enrol", postgres, "Luna", *photos[:3], "--model", tiny_model)
    assert ran.code == 0, ran
    assert "Luna: 3 photos enrolled" in ran.out
    assert resight("enrol", postgres, "Milo", photos[3]).code == 0
    ran = resight("identify", postgres, photos[1])
    assert "Luna" in ran.out, ran
    assert resight("check", postgres).code == 0
    error = resight("identify", "postgresql://me:secret@127.0.0.1:1/x", photos[1])
    assert "secret" not in error.failed_in_one_line()
