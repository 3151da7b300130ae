"""The file of access keys: what it may say, what is wrong with it, and that it is read anew."""

import os

import pytest

from albatross.aws.access_keys import AccessKey, KeyFile, UnusableKeys, parse

ONE = "[me]\naws_access_key_id = AKIA1\naws_secret_access_key = top=secret; #1\n"


def test_a_credentials_file_of_the_aws_command_will_do():
    text = (
        "# a comment\n\n[default]\naws_access_key_id=AKIA1\naws_secret_access_key=s/+=\n"
        "region = eu-west-1\noutput = json\nendpoint_url = http://127.0.0.1:4566\n"
        "[other]\n  \nAWS_ACCESS_KEY_ID = 222222222222\naws_secret_access_key = t\n"
        "aws_session_token = token\naws_account_id = 333333333333\n"
    )
    assert parse(text, "keys") == {
        "AKIA1": AccessKey("AKIA1", "s/+="),
        "222222222222": AccessKey("222222222222", "t", "token", "333333333333"),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "keys: holds no access key. Put in a section such as [me]", id="empty"),
        pytest.param("aws_access_key_id = x\n", "keys:1: a section must come first.", id="no head"),
        pytest.param(ONE + "top-secret\n", "keys:4: not a line KEY = VALUE.", id="no pair"),
        pytest.param(ONE + "[me]\n", "keys:4: there is a section [me] already.", id="head twice"),
        pytest.param(
            ONE + "aws_access_key_id = top-secret\n",
            "keys:4: aws_access_key_id is set twice in [me].",
            id="key twice",
        ),
        pytest.param(
            ONE + ONE.replace("me", "you"),
            "keys:5: the access key id AKIA1 is in the file twice.",
            id="id twice",
        ),
        pytest.param(
            ONE + "account_id = top-secret\n",
            "keys:4: [me] has no setting account_id. Did you mean aws_account_id?",
            id="unknown setting",
        ),
        pytest.param(
            "[me]\naws_access_key_id = A1A\n", "keys:1: [me] needs aws_secret_access_key", id="half"
        ),
        pytest.param(
            "[me]\naws_access_key_id =\naws_secret_access_key = top-secret",
            "keys:2: [me] needs aws_access_key_id",
            id="empty id",
        ),
        pytest.param(
            "[me]\naws_secret_access_key = s\naws_access_key_id = top-secret/\n",
            "keys:3: aws_access_key_id must be 3 to 128 letters",
            id="a secret for an id",
        ),
        pytest.param(
            ONE + "aws_account_id = 1\n", "keys:4: aws_account_id must be 12 digits.", id="account"
        ),
    ],
)
def test_what_is_wrong_is_said_with_line_and_remedy_and_without_secrets(text, message):
    with pytest.raises(UnusableKeys) as raised:
        parse(text, "keys")
    assert str(raised.value).startswith(message)
    assert "secret;" not in str(raised.value)
    assert "top-secret" not in str(raised.value)


def test_the_file_is_read_anew_when_it_changes(tmp_path, caplog):
    path = tmp_path / "keys"
    path.write_text(ONE)
    keys = KeyFile(str(path))
    assert list(keys.keys()) == ["AKIA1"]
    path.write_text(ONE.replace("AKIA1", "AKIA22"))
    assert list(keys.keys()) == ["AKIA22"]
    replacement = tmp_path / "new"
    replacement.write_text(ONE.replace("AKIA1", "AKIA33"))
    replacement.replace(path)
    assert list(keys.keys()) == ["AKIA33"]


def test_a_damaged_file_lets_nobody_in_until_it_is_mended(tmp_path, caplog):
    path = tmp_path / "keys"
    path.write_text(ONE)
    keys = KeyFile(str(path))
    keys.keys()
    path.write_text(ONE + "top-secret")
    for _ in range(3):
        with pytest.raises(UnusableKeys):
            keys.keys()
    assert caplog.text.count("no API call is accepted") == 1
    assert "top-secret" not in caplog.text
    path.unlink()
    with pytest.raises(UnusableKeys, match="cannot be read: No such file"):
        keys.keys()
    path.write_text(ONE + "\n")
    assert list(keys.keys()) == ["AKIA1"]
    path.write_bytes(b"\xff\xff")
    with pytest.raises(UnusableKeys, match="it is not UTF-8"):
        keys.keys()


@pytest.mark.parametrize(("mode", "is_fine"), [(0o600, True), (0o400, True), (0o640, False)])
def test_a_file_that_others_can_read_is_warned_of(tmp_path, mode, is_fine):
    path = tmp_path / "keys"
    path.write_text(ONE)
    os.chmod(path, mode)
    warning = KeyFile(str(path)).warning()
    expected = f"{path} can be read by other users. Run: chmod 600 {path}"
    assert warning == (None if is_fine else expected)
