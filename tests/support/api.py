"""The whole AWS API on a store, without proxy and Lambda host: quick to start, the same answers."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from albatross import acm, elbv2, lambda_, sts
from albatross.aws.app import Operations
from albatross.config import Config
from albatross.control import instances, s3, trust_material
from albatross.control.signed_links import Links
from albatross.model.health import HEALTHY, NothingChecked, TargetHealth
from albatross.store.contents import Contents
from albatross.store.store import Store
from tests.support import consistency
from tests.support.server import client, serve

DATABASE = "albatross.db"
INSTANCES = (
    "i-0123456789abcdef0",
    # those of the AWS CLI's examples
    *("i-1234567890abcdef0", "i-0abcdef1234567890", "i-0598c7d356eba48d7"),
    *("i-ceddcd4d", "i-0f76fade"),
)
OPERATIONS = {
    "elasticloadbalancing": elbv2.OPERATIONS,
    "lambda": lambda_.OPERATIONS,
    "acm": acm.OPERATIONS,
    "sts": sts.OPERATIONS,
}


@dataclass(frozen=True)
class Api:
    """A server. `objects`: what is in S3, by s3://BUCKET/KEY; `health`: that of every target."""

    url: str
    directory: Path
    objects: dict[str, bytes]
    health: "Health"

    def client(self, service: str, account: str, **config: Any) -> Any:
        return client(service, self.url, access_key=account, **config)

    def faults(self) -> list[str]:
        """Return what is wrong with the state."""
        return consistency.faults(self.directory, database=DATABASE)


@dataclass
class Health(NothingChecked):
    """What health checks have found of every target: what a test says."""

    found: TargetHealth | None = HEALTHY

    def health(self, _target_group_arn: str, _key: tuple[str, int | None]) -> TargetHealth | None:
        return self.found


async def _nothing() -> None:
    return None


@contextmanager
def api(directory: Path) -> Iterator[Api]:
    """Serve the API with its state in `directory`."""
    objects: dict[str, bytes] = {}
    known = Config(instances=dict.fromkeys(INSTANCES, "127.0.0.1"))

    def read(location: s3.Location, bytes_max: int) -> bytes:
        content = objects.get(str(location))
        if content is None:
            raise s3.ObjectNotFound(location, "NoSuchKey", "not found")
        if len(content) > bytes_max:
            raise s3.ObjectTooLarge(f"{location} is too large")
        return content

    def more(store: Store, directory: Path) -> Operations:
        contents = Contents(directory)
        links = Links(lambda: "http://127.0.0.1")
        elb = trust_material.operations(store, contents, read, after_write=_nothing, links=links)
        register = instances.operation(known, store, _nothing)
        return {"elasticloadbalancing": {**elb, "RegisterTargets": register}}

    health = Health()
    with serve(OPERATIONS, directory=directory, more=more, health=health) as url:
        yield Api(url, directory, objects, health)
