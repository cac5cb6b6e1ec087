import time

import pytest
from fastapi.testclient import TestClient
from tests.service.web.box import Box

from ichscan.errors import UsageError
from ichscan.service.security import passwords, users
from ichscan.service.security.secret import hash_secret
from ichscan.service.tables import Audit, Login, User
from ichscan.service.web.access import COOKIE

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same algorithm with the least memory."""
    passwords._hasher.cache_clear()
    passwords.nobody.cache_clear()
    monkeypatch.setattr(passwords, "MEMORY_KIB", 64)
    monkeypatch.setattr(passwords, "PASSES", 1)


@pytest.fixture
def doctor(box: Box) -> Box:
    with box.database.write() as session:
        users.make_user(session, "doctor", "reader", PASSWORD, time.time())
    return box


def log_in(client: TestClient, password: str = PASSWORD, name: str = "doctor", **options: object) -> int:
    answer = client.post("/api/session", json={"name": name, "password": password}, **options)
    if answer.status_code == 200:
        client.headers["X-CSRF-Token"] = answer.json()["csrf"]
    return answer.status_code


def test_login_and_logout(doctor: Box) -> None:
    client = doctor.client()
    assert client.get("/api/session").status_code == 401
    answer = client.post("/api/session", json={"name": "doctor", "password": PASSWORD})
    assert answer.json().keys() == {"user", "role", "csrf", "must_change", "demo", "version", "notice"}
    assert "not for diagnostic use alone" in answer.json()["notice"]
    cookie = answer.headers["set-cookie"]
    for word in ("HttpOnly", "SameSite=strict", "Path=/", "Max-Age="):
        assert word in cookie
    assert "Secure" not in cookie
    client.headers["X-CSRF-Token"] = answer.json()["csrf"]
    text = client.cookies[COOKIE]
    assert client.get("/api/studies").status_code == 200
    answer = client.delete("/api/session")
    assert answer.status_code == 204
    assert answer.headers["clear-site-data"] == '"cache"'
    client.cookies.set(COOKIE, text)
    assert client.get("/api/session").status_code == 401
    assert [row.action for row in doctor.rows(Audit)][:3] == ["login", "worklist", "logout"]


def test_the_database_holds_no_secret(doctor: Box) -> None:
    client = doctor.client()
    log_in(client)
    text = client.cookies[COOKIE]
    assert len(text) >= 43
    stored = b"".join(path.read_bytes() for path in doctor.settings.folder.glob("ichscan.sqlite3*"))
    assert text.encode() not in stored
    assert PASSWORD.encode() not in stored
    assert hash_secret(text).encode() in stored
    assert doctor.rows(User)[0].password_hash.startswith("$argon2id$")


@pytest.mark.parametrize(
    ("name", "password"),
    [("doctor", "wrong password"), ("nobody", PASSWORD), ("doctor", PASSWORD + " "), ("Doctor", PASSWORD)],
)
def test_wrong_credentials_look_alike(doctor: Box, name: str, password: str) -> None:
    answer = doctor.client().post("/api/session", json={"name": name, "password": password})
    assert answer.status_code == 401
    assert answer.json()["detail"].startswith("wrong name or password")
    (row,) = doctor.rows(Audit)
    assert (row.action, row.outcome) == ("login", "refused")
    # what was typed as a name may be a password
    assert row.actor == ("user:doctor" if name == "doctor" else "user:?")


@pytest.mark.parametrize(
    "body",
    [
        {}, {"name": "doctor"}, {"name": "doctor", "password": 1}, {"name": "doctor", "password": "x", "a": 1},
        {"name": "x" * 99, "password": "y"}, {"name": "doctor", "password": "y" * 999}, {"name": "\0", "password": ""},
        {"name": "doctor' OR '1'='1", "password": "y"}, [], "doctor", {"name": "doctor", "password": "a\0"},
    ],
)  # fmt: skip
def test_malformed_credentials(doctor: Box, body: object) -> None:
    answer = doctor.client().post("/api/session", json=body)
    assert answer.status_code == 422
    assert "yyyy" not in answer.text


def test_a_user_is_locked_after_wrong_passwords(doctor: Box) -> None:
    now = time.time()
    for _ in range(users.FREE_FAILURES):
        assert users.check_login(doctor.database, "doctor", "wrong", now) is None
    assert users.check_login(doctor.database, "doctor", PASSWORD, now + 1) is None
    later = now + users.LOCK_S + 1
    assert users.check_login(doctor.database, "doctor", PASSWORD, later) is not None
    assert doctor.rows(User)[0].failures == 0


def test_locks_grow_and_end() -> None:
    assert users.lock_s(users.FREE_FAILURES - 1) == 0
    assert users.lock_s(users.FREE_FAILURES) == users.LOCK_S
    assert users.lock_s(10**9) == users.LONGEST_LOCK_S


def test_a_lock_does_not_outlast_a_clock_that_went_back(doctor: Box) -> None:
    with doctor.database.write() as session:
        session.query(User).one().locked_until = time.time() + 10**8
    assert users.check_login(doctor.database, "doctor", PASSWORD, time.time()) is not None


def test_attempts_are_limited_by_name_and_by_address(open_box: object) -> None:
    box: Box = open_box(logins_per_minute=3)  # type: ignore[operator]
    client = box.client()
    assert [log_in(client, "x", "nobody") for _ in range(4)] == [401, 401, 401, 429]
    answer = client.post("/api/session", json={"name": "other", "password": "x"})
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0


def test_a_planted_session_does_not_survive_the_login(doctor: Box) -> None:
    attacker = doctor.client()
    log_in(attacker)
    planted = attacker.cookies[COOKIE]
    victim = doctor.client()
    victim.cookies.set(COOKIE, planted)
    log_in(victim)
    assert doctor.client(cookies={COOKIE: planted}).get("/api/session").status_code == 401


def test_login_from_another_site_is_refused(doctor: Box) -> None:
    assert log_in(doctor.client(), headers={"Sec-Fetch-Site": "cross-site"}) == 403
    data = '{"name": "doctor", "password": "correct horse battery"}'
    answer = doctor.client().post("/api/session", content=data, headers={"Content-Type": "text/plain"})
    assert answer.status_code == 422


@pytest.mark.parametrize("field", ["used", "expires", "created"])
def test_sessions_end(doctor: Box, field: str) -> None:
    client = doctor.client()
    log_in(client)
    with doctor.database.write() as session:
        login = session.query(Login).one()
        now = time.time()
        values = {"used": now - 3601.0, "expires": now - 1.0, "created": now + 3600.0}
        setattr(login, field, values[field])
    assert client.get("/api/session").status_code == 401


def test_use_is_noted_at_most_once_a_minute(doctor: Box) -> None:
    client = doctor.client()
    log_in(client)

    def used() -> float:
        with doctor.database.read() as session:
            return session.query(Login).one().used

    first = used()
    client.get("/api/session")
    assert used() == first
    with doctor.database.write() as session:
        session.query(Login).one().used = first - 61
    client.get("/api/session")
    assert used() >= first


def test_a_disabled_user_is_out_at_once(doctor: Box) -> None:
    client = doctor.client()
    log_in(client)
    with doctor.database.write() as session:
        session.query(User).one().disabled = True
    assert client.get("/api/session").status_code == 401
    assert log_in(doctor.client()) == 401


def test_choosing_a_password(doctor: Box) -> None:
    client, other = doctor.client(), doctor.client()
    log_in(client)
    log_in(other)
    old = client.cookies[COOKIE]
    assert client.post("/api/session/password", json={"old": "wrong", "new": "another good one"}).status_code == 403
    assert client.post("/api/session/password", json={"old": PASSWORD, "new": PASSWORD}).status_code == 400
    assert client.post("/api/session/password", json={"old": PASSWORD, "new": "short"}).status_code == 400
    answer = client.post("/api/session/password", json={"old": PASSWORD, "new": "another good one"})
    assert answer.status_code == 200
    assert client.cookies[COOKIE] != old
    assert client.get("/api/session").status_code == 200
    assert other.get("/api/session").status_code == 401
    assert log_in(doctor.client()) == 401
    assert log_in(doctor.client(), "another good one") == 200


def test_a_generated_password_must_be_changed(box: Box) -> None:
    password = users.first_administrator(box.database, time.time())
    assert password is not None
    assert users.first_administrator(box.database, time.time()) is None
    client = box.client()
    assert log_in(client, password, users.FIRST) == 200
    assert client.get("/api/session").json()["must_change"] is True
    assert client.get("/api/studies").status_code == 403
    assert client.get("/metrics").status_code == 403
    assert client.get("/dicom-web/studies").status_code == 403
    answer = client.post("/api/session/password", json={"old": password, "new": "another good one"})
    assert answer.json()["must_change"] is False
    assert client.get("/api/studies").status_code == 200


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaaaaaaaa", "doctor-doctor", "ichscan12345", "x" * 300])
def test_weak_passwords(password: str) -> None:
    with pytest.raises(UsageError, match="password"):
        passwords.check_password(password, "doctor")


def test_generated_passwords_are_good() -> None:
    made = {passwords.make_password() for _ in range(50)}
    assert len(made) == 50
    for one in made:
        passwords.check_password(one, "doctor")


def test_accents_may_be_typed_either_way() -> None:
    assert passwords.verify_password(passwords.hash_password("caf\u00e9 au lait noir"), "cafe\u0301 au lait noir")
    assert not passwords.verify_password("none", "x")
    assert not passwords.verify_password("", "x" * 10_000)


def test_names_of_users(box: Box) -> None:
    with box.database.write() as session:
        users.make_user(session, "a.b@c", "reader", PASSWORD, 0.0)
        for name in ("", "a b", "<script>", "A.B@C", "é", "x" * 65, "../x", "a\n"):
            with pytest.raises(UsageError):
                users.make_user(session, name, "reader", PASSWORD, 0.0)
        with pytest.raises(UsageError, match="role"):
            users.make_user(session, "d", "king", PASSWORD, 0.0)


def test_hashes_are_made_anew_with_new_settings(doctor: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    before = doctor.rows(User)[0].password_hash
    monkeypatch.setattr(passwords, "PASSES", 2)
    passwords._hasher.cache_clear()
    assert log_in(doctor.client()) == 200
    after = doctor.rows(User)[0].password_hash
    assert after != before
    assert "t=2" in after


def test_at_most_so_many_sessions_of_a_user(doctor: Box) -> None:
    from ichscan.service.security.sessions import MOST_PER_USER, open_login

    with doctor.database.write() as session:
        user = session.query(User).one()
        for i in range(MOST_PER_USER + 5):
            open_login(session, user, doctor.settings.web, time.time() + i)
        assert session.query(Login).count() == MOST_PER_USER
