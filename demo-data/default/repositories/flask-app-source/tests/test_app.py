from app.main import app


def test_healthz_answers():
    answer = app.test_client().get("/healthz")

    assert answer.status_code == 200
    assert answer.json["status"] == "ok"


def test_index_names_the_version():
    assert b"demo app" in app.test_client().get("/").data
