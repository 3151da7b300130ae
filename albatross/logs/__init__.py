"""CloudWatch Logs: its operations by name, on the log groups of `log_store/`."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from albatross.log_store.files import LogFiles
from albatross.log_store.keep import Keeper
from albatross.log_store.place import ROOT
from albatross.logs import events, filters, groups, metric_filters, streams, tags
from albatross.logs.live_tail import LiveTails
from albatross.model.arn import Scope
from albatross.model.operation import AsyncOperation

KEEP_EVERY_S, KEEP_AT_LEAST_EVERY_S = 2.0, 30.0
_KEEP_PAUSE = 400  # times what a look has taken: the more log groups, the less often

log = logging.getLogger(__name__)

Run = Callable[[LogFiles, Scope, Mapping[str, Any]], dict[str, Any]]

_RUNS: Mapping[str, Run] = {
    "CreateLogGroup": groups.create_log_group,
    "CreateLogStream": streams.create_log_stream,
    "DeleteLogGroup": groups.delete_log_group,
    "DeleteLogStream": streams.delete_log_stream,
    "DeleteMetricFilter": metric_filters.delete_metric_filter,
    "DeleteRetentionPolicy": groups.delete_retention_policy,
    "DescribeLogGroups": groups.describe_log_groups,
    "DescribeLogStreams": streams.describe_log_streams,
    "DescribeMetricFilters": metric_filters.describe_metric_filters,
    "DescribeSubscriptionFilters": filters.describe_subscription_filters,
    "FilterLogEvents": events.filter_log_events,
    "GetLogEvents": events.get_log_events,
    "ListLogGroups": groups.list_log_groups,
    "ListTagsForResource": tags.list_tags_for_resource,
    "ListTagsLogGroup": tags.list_tags_log_group,
    "PutLogEvents": events.put_log_events,
    "PutLogGroupDeletionProtection": groups.put_deletion_protection,
    "PutMetricFilter": metric_filters.put_metric_filter,
    "PutRetentionPolicy": groups.put_retention_policy,
    "TagLogGroup": tags.tag_log_group,
    "TagResource": tags.tag_resource,
    "TestMetricFilter": filters.test_metric_filter,
    "UntagLogGroup": tags.untag_log_group,
    "UntagResource": tags.untag_resource,
}
OPERATIONS = frozenset(_RUNS) | {"StartLiveTail"}


class Logs:
    """The log groups of a data directory. Whatever looks at them does so in one thread."""

    def __init__(self, data_dir: Path, *, group_bytes_max: int, bytes_max: int) -> None:
        self._files = LogFiles(data_dir / ROOT)
        self._keeper = Keeper(self._files, group_bytes_max=group_bytes_max, bytes_max=bytes_max)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="logs")
        self._tails = LiveTails(self._files, self._in_thread)

    def operations(self) -> dict[str, AsyncOperation]:
        """Return every operation by name."""
        found = {name: AsyncOperation(self._operation(run)) for name, run in _RUNS.items()}
        return {**found, "StartLiveTail": AsyncOperation(self._tails.start)}

    async def run(self) -> None:
        """Keep to retention and room, for ever."""
        while True:
            begun_s = time.monotonic()
            try:
                await self._in_thread(self._keeper.look)
            except (OSError, ValueError) as error:  # a full disk, say, or a damaged file
                log.warning("retention and room of log groups cannot be kept to: %s", error)
            pause_s = (time.monotonic() - begun_s) * _KEEP_PAUSE
            await asyncio.sleep(min(max(pause_s, KEEP_EVERY_S), KEEP_AT_LEAST_EVERY_S))

    def close(self) -> None:
        self._thread.shutdown(cancel_futures=True)

    def _operation(self, run: Run) -> Callable[[Scope, Any], Any]:
        async def operation(scope: Scope, params: Any) -> dict[str, Any]:
            result: dict[str, Any] = await self._in_thread(lambda: run(self._files, scope, params))
            return result

        return operation

    async def _in_thread(self, function: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)
