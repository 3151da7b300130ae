"""Who may call the API: what must be right before a server starts, and what to warn of."""

from albatross.aws import access_keys
from albatross.aws.access_keys import KeyFile, UnusableKeys
from albatross.config import Config
from albatross.setting import ConfigError


def check(config: Config) -> list[str]:
    """Return warnings for the user. Raises ConfigError where a server would be open by mistake."""
    warnings = []
    if config.auth:
        try:
            access_keys.read(config.auth)
        except UnusableKeys as error:
            raise ConfigError(f"auth: {error}") from None
        if fault := KeyFile(config.auth).warning():
            warnings.append(fault)
    if config.is_loopback:
        return warnings
    if config.auth:
        warnings.append(
            f"binding to {config.bind}. Calls of the API must be signed, but travel as plain HTTP; "
            "requests to load balancers are open to whoever reaches them."
        )
    elif config.allow_unauthenticated:
        warnings.append(
            f"binding to {config.bind}. Whoever reaches port {config.port} can run code on this "
            "machine as you."
        )
    else:
        raise ConfigError(
            f"bind: {config.bind} is not a loopback address, and whoever reaches the API can run "
            "code on this machine as you. Name a file of access keys with --auth FILE "
            "(docs/security.md), or say --allow-unauthenticated where you trust the network."
        )
    return warnings
