"""What is told of one environment: in its log, to who wants the end of that, and to extensions."""

from albatross.host.extensions import Extension
from albatross.host.failures import kind_of, type_in
from albatross.host.invocation import Invocation, Outcome
from albatross.host.observe import logs, records
from albatross.host.observe.framing import Source
from albatross.host.observe.records import Ended
from albatross.host.observe.telemetry import Telemetry
from albatross.log_store.append import now_ms
from albatross.model.function import Function

_KEPT_MAX = 64  # pieces of a log


class Journal:
    """The telling of one environment. `started_by` and `phase` are those of AWS's INIT_START."""

    def __init__(
        self,
        log: logs.StreamLog,
        function: Function,
        environment_id: str,
        *,
        started_by: str,
        phase: str,
    ) -> None:
        self.log = log
        self.telemetry: Telemetry | None = Telemetry(json=function.logging.is_json)
        self._function = function
        self._id = environment_id
        self._started_by = started_by
        self._phase = phase
        self._has_begun = False
        self._init_log: list[bytes] | None = []  # of what is printed until the first invocation

    def begin(self) -> None:
        """The init phase begins, unless it has begun."""
        if self._has_begun:
            return
        self._has_begun = True
        self.log.write(self.log.lines.init_start(self._id, self._started_by, self._phase))
        record = records.init_start(self._function, self._id, self._started_by, self._phase)
        self._tell("platform.initStart", record)

    def runtime_ready(self) -> None:
        """The runtime has asked for its first event."""
        about = self._phase, self._started_by, "success", ""
        self.log.write(self.log.lines.init_runtime_done(*about))
        self._tell("platform.initRuntimeDone", records.init_runtime_done(*about))

    def initialized(self, taken_ms: float) -> None:
        """The init phase has ended well: nobody subscribes any more."""
        about = self._phase, self._started_by, "success", ""
        self.log.write(self.log.lines.init_report(taken_ms, *about))
        self._tell("platform.initReport", records.init_report(taken_ms, *about))
        if self.telemetry is not None and not self.telemetry.close_subscriptions():
            self.telemetry = None

    def init_failed(self, taken_ms: float, kind: str, *, timed_out: bool) -> None:
        """The init phase has failed by an error that Lambda's records call `kind`."""
        status = "timeout" if timed_out else "error"
        about = self._phase, self._started_by, status, "" if timed_out else kind
        lines = self.log.lines
        written = self.log.write(
            lines.init_runtime_done(*about), lines.init_report(taken_ms, *about)
        )
        if self._init_log is not None:
            self._init_log.append(written)
        about = self._phase, self._started_by, status, kind
        self._tell("platform.initRuntimeDone", records.init_runtime_done(*about))
        self._tell("platform.initReport", records.init_report(taken_ms, *about))

    def extension(self, extension: Extension, error_type: str) -> None:
        """An extension is ready, or has failed."""
        name, events = extension.name, sorted(extension.events)
        failed_by = extension.error_type.removeprefix("Extension.")
        state = failed_by or ("Exited" if error_type else "Ready")
        line = self.log.lines.extension(name, state=state, events=events, error_type=error_type)
        self.log.write(line)
        self._tell("platform.extension", records.extension(name, state, events, error_type))

    def start(self, invocation: Invocation) -> None:
        self._init_log = None
        invocation.log.append(self.log.write(self.log.lines.start(invocation.id)))
        if self.telemetry is not None:
            record = records.start(self._function, invocation.id, invocation.trace_id)
            self._tell("platform.start", record)

    def timed_out(self, id_: str) -> bytes:
        """Log that the invocation, or the environment, took too long; return what is written."""
        return self.log.write(self.log.lines.timed_out(id_))

    def end(self, invocation: Invocation, ended: Ended, outcome: Outcome) -> None:
        invocation.log.append(self.log.write(*self.log.lines.report(ended)))
        if self.telemetry is None:
            return
        if ended.status == "error" and not ended.error_type:
            ended.error_type = kind_of(type_in(outcome.payload))
        self.telemetry.ended(now_ms(), self._function, ended)

    def fail(self, invocation: Invocation, ended: Ended) -> None:
        """Log an invocation that has failed because this environment never was ready."""
        invocation.log += self._init_log or ()
        invocation.log.append(self.log.write(self.log.lines.start(invocation.id)))
        if ended.status == "timeout":
            invocation.log.append(self.timed_out(invocation.id))
        invocation.log.append(self.log.write(*self.log.lines.report(ended)))

    def printed(
        self, data: bytes, source: Source, kind: str, invocation: Invocation | None
    ) -> bytes:
        """A process of the `kind` function or extension has written `data`.

        Return it without the marks of records.
        """
        if self.telemetry is not None:
            self.telemetry.printed(kind, now_ms(), data, source)
        text = self.log.printed(data, source)
        if invocation is not None:
            invocation.log = _kept(invocation.log, text)
        elif self._init_log is not None:
            self._init_log = _kept(self._init_log, text)
        return text

    def flush(self) -> None:
        """A process has ended: what it has said goes out."""
        self.log.close()
        if self.telemetry is not None:
            self.telemetry.flush()

    async def delivered(self) -> None:
        """Return when extensions have been told all that there is."""
        if self.telemetry is not None:
            await self.telemetry.delivered()

    async def close(self) -> None:
        """All processes have ended."""
        if self.telemetry is not None:
            await self.telemetry.close()

    def _tell(self, kind: str, record: records.Record) -> None:
        if self.telemetry is not None:
            self.telemetry.tell(now_ms(), kind, record)


def _kept(kept: list[bytes], more: bytes) -> list[bytes]:
    """Return what is kept of a log for an answer, with `more`."""
    kept.append(more[-logs.TAIL_BYTES_MAX :])
    return kept if len(kept) <= _KEPT_MAX else [logs.tail(kept)]
