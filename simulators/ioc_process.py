"""The process that holds the records of a simulated IOC; see `simulators.ioc`.

Three kinds of thread meet here. The IOC's own threads process a write: they hand it to the parent and wait, so that a
client that reads behind its write sees what the write did. The main thread takes the parent's readings and lets those
waits end. Records that can be written are locked while they are, so only a thread that nobody waits for sets them.
"""

from __future__ import annotations

import itertools
import json
import os
import queue
import sys
import threading
from typing import Any

from simulators.instruments.channels import WRITABLE

ANSWER_S = 10.0


class IocProcess:
    """The records, and the conversation with the parent."""

    def __init__(self, first: dict[str, Any], builder: Any, out: Any, *, alarm: int) -> None:
        self._builder = builder
        self._alarm = alarm
        self._out = out
        self._speaking = threading.Lock()
        self._numbers = itertools.count()
        self._waiting: dict[int, threading.Event] = {}
        self._settings: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._shown: dict[str, Any] = first["readings"]
        self._fields: dict[str, Any] = first["fields"]
        self._writable = {name for name, record in first["records"].items() if record["kind"] in WRITABLE}
        builder.SetDeviceName(first["prefix"].rstrip(":"))
        self._records = {name: self._build(name, record, first) for name, record in first["records"].items()}

    def run(self, lines: Any) -> None:
        """Show what the parent says until it says no more."""
        threading.Thread(target=self._set, daemon=True).start()
        self._say({"ready": True})
        for line in lines:
            message = json.loads(line)
            self._show(message)
            answered = self._waiting.pop(message.get("id", -1), None)
            if answered is not None:
                answered.set()

    def _build(self, name: str, record: dict[str, Any], first: dict[str, Any]) -> Any:
        make = {
            "ai": self._builder.aIn,
            "ao": self._builder.aOut,
            "longin": self._builder.longIn,
            "longout": self._builder.longOut,
            "stringin": self._builder.stringIn,
            "stringout": self._builder.stringOut,
        }[record["kind"]]
        options: dict[str, Any] = {"initial_value": first["readings"][name][0]}
        if record["unit"]:
            options["EGU"] = record["unit"]
        if record["kind"] in ("ai", "ao"):
            options["PREC"] = 4
        if record["kind"] in ("ao", "longout") and record["low"] is not None and record["high"] is not None:
            options |= {"DRVL": record["low"], "DRVH": record["high"]}
        if name in self._writable:
            options |= {"always_update": True, "validate": lambda _, value: self._written(name, value)}
        return make(name, **options)

    def _written(self, name: str, value: Any) -> bool:
        """Hand a write to the parent, and say whether the record keeps the value."""
        number, done = next(self._numbers), threading.Event()
        self._waiting[number] = done
        self._say({"id": number, "channel": name, "value": value})
        return done.wait(ANSWER_S) and self._shown[name][0] == value

    def _show(self, message: dict[str, Any]) -> None:
        old, self._shown = self._shown, message["readings"]
        for name, (value, severity, _) in self._shown.items():
            if name not in self._writable:
                record = self._records[name]
                record.set(value, severity=severity, alarm=self._alarm if severity else 0)
                record.set_field("PROC", 1)  # now, in this thread, and not when the IOC finds the time
            elif name not in old or old[name][0] != value:
                self._settings.put((name, ""))
        fields, self._fields = self._fields, message["fields"]
        for channel, value in self._fields.items():
            if fields.get(channel) != value:
                self._settings.put(tuple(channel.split(".", 1)))

    def _set(self) -> None:
        """Set what clients may write too, and units; may wait for a record that is being written."""
        while True:
            name, field = self._settings.get()
            record = self._records[name]
            if field:
                record.set_field(field, self._fields[f"{name}.{field}"])
            else:
                record.set(self._shown[name][0], process=False)

    def _say(self, message: dict[str, Any]) -> None:
        with self._speaking:
            self._out.write(json.dumps(message) + "\n")
            self._out.flush()


def main() -> None:
    """Serve until standard input closes."""
    # standard output is the conversation; what the IOC has to say on it is lost
    out = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    from softioc import alarm, builder, softioc

    first = json.loads(sys.stdin.readline())
    process = IocProcess(first, builder, out, alarm=alarm.COMM_ALARM)
    builder.LoadDatabase()
    softioc.iocInit(lambda *_, **__: None, enable_pva=False)
    process.run(sys.stdin)
    os._exit(0)  # at once: the library's own way out waits for its threads
