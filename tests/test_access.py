"""Before a server starts: nobody opens the API by mistake."""

import pytest

from albatross import access
from albatross.config import Config
from albatross.setting import ConfigError

KEYS = "[me]\naws_access_key_id = AKIA1\naws_secret_access_key = s\n"


@pytest.fixture
def keys(tmp_path):
    path = tmp_path / "keys"
    path.write_text(KEYS)
    path.chmod(0o600)
    return str(path)


@pytest.mark.parametrize("bind", ["0.0.0.0", "::", "192.0.2.1"])
def test_an_open_api_must_be_asked_for(bind, keys):
    with pytest.raises(ConfigError, match=r"with --auth FILE .*, or say --allow-unauthenticated"):
        access.check(Config(bind=bind))
    (warning,) = access.check(Config(bind=bind, allow_unauthenticated=True))
    assert warning.startswith(f"binding to {bind}. Whoever reaches port 4566 can run code")
    (warning,) = access.check(Config(bind=bind, auth=keys))
    assert "must be signed, but travel as plain HTTP" in warning


def test_on_the_loopback_there_is_nothing_to_say(keys):
    assert access.check(Config()) == []
    assert access.check(Config(auth=keys)) == []


def test_a_file_of_keys_must_be_usable_and_should_be_private(keys, tmp_path, caplog):
    with pytest.raises(ConfigError, match=r"^auth: .*/gone: cannot be read: No such file"):
        access.check(Config(auth=str(tmp_path / "gone")))
    assert not caplog.records  # it is said once
    (tmp_path / "keys").chmod(0o644)
    assert access.check(Config(auth=keys)) == [
        f"{keys} can be read by other users. Run: chmod 600 {keys}"
    ]
