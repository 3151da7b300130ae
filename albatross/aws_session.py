"""botocore with what this process's environment says: credentials, profile, region."""

from typing import Any

_ONLY_IN_AWS = ("container-role", "iam-role")  # nobody waits for these


def new() -> Any:
    """Return a session of botocore, which is loaded for it.

    Raises BotoCoreError where the environment names what is not there, such as a profile.
    """
    import botocore.session

    session = botocore.session.get_session()
    for provider in _ONLY_IN_AWS:
        session.get_component("credential_provider").remove(provider)
    return session
