"""EPICS channel access: contexts of libca, each with its own list of servers and its own thread.

A context reads its list of servers once, from the environment, when its first channel is made. So each list of servers
gets a context of its own, and a server that one device names cannot answer for another device.

Nothing here waits for a server: requests go out and answers come back through callbacks, each under the number of its
request, so that an answer that comes late is nobody's. A write goes out without asking for its completion, followed by
a read of the same channel: a server handles what comes over one connection in order, so the answer to the read proves
that the write was processed. Completion itself says something else (a motor record completes a write when the motor
stands still, and lets nobody else complete one until then).

The library comes with pyepics, which finds it; names and numbers are those of ``cadef.h`` and ``caerr.h`` (EPICS
Channel Access 4.13 Reference Manual).
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import itertools
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from queue import SimpleQueue
from typing import Any

from drivers.errors import NotConnected
from drivers.links.channels import ChannelValue

CONNECTION_S = 3.0
"""A server that is silent for longer is taken for hung, and its channels for disconnected."""
RENEW_S = 1.5
"""A channel that is not connected for longer is made anew: a search that goes on is soon repeated only every minute."""
EXIT_S = 1.0
"""What a process that ends waits for its servers, at most."""
LONGEST_TEXT = 39

NORMAL = 1
NOT_WRITTEN = 0
"""Our own status, for a write that the library did not take."""
_CONNECTED = 2
_PREEMPTIVE = 1
_STRING, _DOUBLE = 0, 6
_TIME_STRING, _TIME_DOUBLE = 14, 20
_FLOATS = (2, 6)
_EPOCH_S = 631_152_000
"""EPICS counts seconds from 1990."""

_log = logging.getLogger(__name__)


class _Stamped(ctypes.Structure):
    _fields_ = [
        ("status", ctypes.c_short),
        ("severity", ctypes.c_short),
        ("seconds", ctypes.c_uint),
        ("nanoseconds", ctypes.c_uint),
    ]


class _StampedText(_Stamped):
    _fields_ = [("value", ctypes.c_char * (LONGEST_TEXT + 1))]


class _StampedNumber(_Stamped):
    _fields_ = [("pad", ctypes.c_int), ("value", ctypes.c_double)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("request", ctypes.c_size_t),
        ("channel", ctypes.c_void_p),
        ("type", ctypes.c_long),
        ("count", ctypes.c_long),
        ("data", ctypes.c_void_p),
        ("status", ctypes.c_int),
    ]


class _Connection(ctypes.Structure):
    _fields_ = [("channel", ctypes.c_void_p), ("what", ctypes.c_long)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came of a request."""

    status: int
    value: ChannelValue | None = None

    @property
    def problem(self) -> str:
        """What the library calls the status."""
        return _library().ca_message(self.status).decode("latin-1")


@dataclass(slots=True)
class _Variable:
    channel: ctypes.c_void_p
    connected_s: float
    """When it was last seen connected, or made."""
    users: int = 0


class CaContext:
    """The channels of one list of servers. Get one by `borrow`, and give it back; use it through `submit` only."""

    def __init__(self, servers: tuple[str, ...]) -> None:
        self.users = 0
        self._servers = servers
        self._handle: int | None = None
        self._variables: dict[str, _Variable] = {}
        self._work: SimpleQueue[tuple[Future[Any], Callable[..., Any], tuple[Any, ...]] | None] = SimpleQueue()
        self._ending = threading.Lock()
        self._is_over = False
        # a daemon: the library takes half a minute to let go of a server that hangs, and no process waits that long
        self.thread = threading.Thread(target=self._run, name="labpilot-ca", daemon=True)
        self.thread.start()

    def submit(self, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Do something on the context's own thread; what is cancelled before its turn is not done.

        Raises:
            NotConnected: The context has ended.
        """
        future: Future[Any] = Future()
        with self._ending:
            if self._is_over:
                raise NotConnected("the channels were closed")
            self._work.put((future, work, arguments))
        return future

    def is_connected(self, name: str) -> bool:
        """Say whether a channel's server is there; a channel that is new is searched for."""
        variable = self._variables.get(name) or self._make(name)
        now_s = time.monotonic()
        if _library().ca_state(variable.channel) == _CONNECTED:
            variable.connected_s = now_s
            return True
        if now_s - variable.connected_s > RENEW_S:
            _library().ca_clear_channel(variable.channel)
            self._make(name)
        return False

    def ask(self, name: str, answer: Callable[[Reply], None]) -> int:
        """Ask for a channel's value, and return the number of the request."""
        channel = self._variables[name].channel
        kind = _library().ca_field_type(channel)
        number = next(_numbers)
        _waiting[number] = (answer, kind)
        asked = _TIME_STRING if kind == _STRING else _TIME_DOUBLE
        status = _library().ca_array_get_callback(asked, 1, channel, _ON_REPLY, number)
        _library().ca_flush_io()
        if status != NORMAL:
            _answer(number, Reply(status=status))
        return number

    def write(self, name: str, value: float | int | str, answer: Callable[[Reply], None]) -> int:
        """Write to a channel, then ask for its value, and return the number of the request."""
        channel = self._variables[name].channel
        if isinstance(value, str):
            kind, data = _STRING, ctypes.create_string_buffer(value.encode("latin-1"), LONGEST_TEXT + 1)
        else:
            kind, data = _DOUBLE, ctypes.c_double(value)
        if _library().ca_array_put(kind, 1, channel, ctypes.byref(data)) != NORMAL:
            answer(Reply(status=NOT_WRITTEN))
            return 0
        return self.ask(name, answer)

    def may_write(self, name: str) -> bool:
        """Say whether the server lets this client write."""
        return bool(_library().ca_write_access(self._variables[name].channel))

    def release(self, names: Iterable[str]) -> None:
        """Let go of channels that were used once less often."""
        for name in names:
            variable = self._variables.get(name)
            if variable is None:
                continue
            variable.users -= 1
            if variable.users <= 0:
                _library().ca_clear_channel(self._variables.pop(name).channel)
        if self._variables:
            _library().ca_flush_io()

    def use(self, name: str) -> None:
        """Count one more user of a channel."""
        (self._variables.get(name) or self._make(name)).users += 1

    def stop(self) -> None:
        """Disconnect everything, and let the thread end; does not wait."""
        with self._ending:
            self._is_over = True
            self._work.put(None)

    def _run(self) -> None:
        while (item := self._work.get()) is not None:
            future, work, arguments = item
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(work(*arguments))
            except Exception as error:  # the supervisor of this thread: whoever asked gets it
                future.set_exception(error)
        if self._handle is not None:
            _library().ca_context_destroy()

    def _make(self, name: str) -> _Variable:
        if self._handle is None:
            with _environment(self._servers):
                _check(_library().ca_context_create(_PREEMPTIVE))
                self._handle = _library().ca_current_context()
                _library().ca_add_exception_event(_ON_EXCEPTION, None)
                return self._create(name)
        return self._create(name)

    def _create(self, name: str) -> _Variable:
        channel = ctypes.c_void_p()
        _check(_library().ca_create_channel(name.encode("ascii"), _ON_CONNECTION, None, 0, ctypes.byref(channel)))
        _library().ca_flush_io()
        users = self._variables[name].users if name in self._variables else 0
        self._variables[name] = _Variable(channel=channel, connected_s=time.monotonic(), users=users)
        return self._variables[name]


def borrow(servers: tuple[str, ...]) -> CaContext:
    """Return the context of a list of servers; give it back when done."""
    with _guard:
        context = _contexts.get(servers)
        if context is None:
            context = _contexts[servers] = CaContext(servers)
        context.users += 1
        return context


def give_back(servers: tuple[str, ...]) -> None:
    """End a context that nobody uses any more."""
    with _guard:
        context = _contexts[servers]
        context.users -= 1
        if context.users == 0:
            del _contexts[servers]
            context.stop()
            _ending[:] = [thread for thread in _ending if thread.is_alive()] + [context.thread]


def forget(number: int) -> None:
    """Take no answer to a request any more."""
    _waiting.pop(number, None)


_guard = threading.Lock()
_contexts: dict[tuple[str, ...], CaContext] = {}
_ending: list[threading.Thread] = []
_waiting: dict[int, tuple[Callable[[Reply], None], int]] = {}
_numbers = itertools.count(1)


@atexit.register
def _end_all() -> None:
    # threads of the library should not find the interpreter gone when they call back
    for context in _contexts.values():
        context.stop()
    give_up_s = time.monotonic() + EXIT_S
    for thread in [context.thread for context in _contexts.values()] + _ending:
        thread.join(max(0.0, give_up_s - time.monotonic()))


_environment_lock = threading.Lock()


@contextmanager
def _environment(servers: tuple[str, ...]) -> Iterator[None]:
    """Set the variables that a new context reads, for as long as it does."""
    wanted = {
        "EPICS_CA_ADDR_LIST": " ".join(servers),
        "EPICS_CA_AUTO_ADDR_LIST": "NO",
        "EPICS_CA_NAME_SERVERS": "",
        "EPICS_CA_CONN_TMO": f"{CONNECTION_S:g}",
    }
    with _environment_lock:
        had = {name: os.environ[name] for name in wanted if name in os.environ}
        os.environ.update(wanted)
        try:
            yield
        finally:
            for name in wanted:
                os.environ.pop(name)
            os.environ.update(had)


@functools.cache
def _library() -> Any:
    from epics import ca  # heavy, and only its library is wanted

    # the copy that pyepics brings, also where another client (aioca, and so ophyd-async) brought one: theirs keeps
    # sockets for as long as the process lives
    packaged = files("epics.clibs") / str(ca.clib_search_path("ca"))
    path = ca.find_libca() if "PYEPICS_LIBCA" in os.environ or not packaged.is_file() else str(packaged)
    # their copy is loaded for everybody; without this, calls that the library makes to itself end in theirs, where a
    # thread has another context than here
    library = ctypes.CDLL(path, mode=ctypes.DEFAULT_MODE | getattr(os, "RTLD_DEEPBIND", 0))
    pointer, text, number, long = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_long
    library.ca_current_context.restype = pointer
    library.ca_attach_context.argtypes = [pointer]
    library.ca_message.argtypes, library.ca_message.restype = [number], text
    library.ca_create_channel.argtypes = [text, pointer, pointer, ctypes.c_uint, pointer]
    library.ca_array_get_callback.argtypes = [long, ctypes.c_ulong, pointer, pointer, ctypes.c_size_t]
    library.ca_array_put.argtypes = [long, ctypes.c_ulong, pointer, pointer]
    library.ca_add_exception_event.argtypes = [pointer, pointer]
    library.ca_field_type.argtypes, library.ca_field_type.restype = [pointer], ctypes.c_short
    for name in ("ca_state", "ca_clear_channel", "ca_write_access"):
        getattr(library, name).argtypes = [pointer]
    return library


def _check(status: int) -> None:
    if status != NORMAL:
        raise OSError(f"libca: {Reply(status=status).problem}")


def _answer(number: int, reply: Reply) -> None:
    answer, _ = _waiting.pop(number, (None, 0))
    if answer is not None:
        answer(reply)


def _replied(event: _Event) -> None:
    _, kind = _waiting.get(event.request, (None, _DOUBLE))
    if event.status != NORMAL or not event.data:
        _answer(event.request, Reply(status=event.status))
        return
    form = _StampedText if event.type == _TIME_STRING else _StampedNumber
    data = ctypes.cast(event.data, ctypes.POINTER(form)).contents
    value: float | int | str = data.value.decode("latin-1") if form is _StampedText else data.value
    if form is _StampedNumber and kind not in _FLOATS:
        value = int(value)
    stamp_s = _EPOCH_S + data.seconds + data.nanoseconds / 1e9
    found = ChannelValue(value=value, severity=data.severity, stamp_s=stamp_s)
    _answer(event.request, Reply(status=event.status, value=found))


_ON_REPLY = ctypes.CFUNCTYPE(None, _Event)(_replied)
_ON_CONNECTION = ctypes.CFUNCTYPE(None, _Connection)(lambda _: None)
# without a handler the library prints; that a write was refused shows when it is read back
_ON_EXCEPTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: _log.debug("libca_exception"))
