"""Where the logs of a load balancer go, in the names of AWS's objects. Pure.

Source: ALB user guide, "Access logs for your Application Load Balancer", access log files.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath

from albatross.model import arn, attributes
from albatross.model.load_balancer import LoadBalancer

SERVICE = "elasticloadbalancing"
TEST_FILE = "ELBAccessLogTestFile"


@dataclass(frozen=True, slots=True)
class Destination:
    """The bucket and prefix of a load balancer's access log. Paths are below the buckets."""

    load_balancer: str  # ARN
    bucket: str
    prefix: str

    @property
    def _account_path(self) -> PurePosixPath:
        account = arn.scope_of(self.load_balancer).account
        # A prefix cannot lead out of the bucket: what is no plain name in it is left out.
        parts = [part for part in self.prefix.split("/") if part not in ("", ".", "..")]
        return PurePosixPath(self.bucket, *parts, "AWSLogs", account)

    @property
    def test_file(self) -> PurePosixPath:
        """Return the path of the object that tells that the bucket may be written."""
        return self._account_path / TEST_FILE

    def log_file(self, end: datetime, node: str, random: str) -> PurePosixPath:
        """Return the path of what the node with the address `node` logged in an interval.

        `end`: of the interval, in UTC; `random` tells apart files of the same interval.
        """
        scope = arn.scope_of(self.load_balancer)
        name = "_".join(
            (
                scope.account,
                SERVICE,
                scope.region,
                arn.short(self.load_balancer).replace("/", "."),
                f"{end:%Y%m%dT%H%MZ}",
                node,
                f"{random}.log.gz",
            )
        )
        return self._account_path / SERVICE / scope.region / f"{end:%Y/%m/%d}" / name


def of(balancer: LoadBalancer) -> Destination | None:
    """Return where `balancer`'s access log goes, None where it has none."""
    bucket = attributes.get(balancer, "access_logs.s3.bucket")
    if attributes.get(balancer, "access_logs.s3.enabled") != "true" or "/" in bucket:
        return None
    if bucket in ("", ".", ".."):
        return None
    return Destination(balancer.arn, bucket, attributes.get(balancer, "access_logs.s3.prefix"))
