"""A wire between a controller and its PostgreSQL server that can be cut at a commit."""

import contextlib
import socket
import threading


class CutWire:
    """Passes bytes on between a loopback port of its own and the server's."""

    def __init__(self, server_port):
        self._server_port = server_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.cut = None
        """What happens at the next COMMIT: ``request`` loses it, ``answer`` loses the server's answer to it,
        ``silence`` passes it on and then nothing more, without closing anything."""
        self.cuts = 0
        self._open = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._server_port))
                pair = {"near": near, "far": far, "mute": False}
                self._open += [near, far]
                for way in (self._forth, self._back):
                    thread = threading.Thread(target=way, args=(pair,), daemon=True)
                    self._threads.append(thread)
                    thread.start()

    def _forth(self, pair):
        with contextlib.suppress(OSError):
            while data := pair["near"].recv(65536):
                if self.cut and b"COMMIT" in data:
                    how, self.cut = self.cut, None
                    self.cuts += 1
                    if how == "request":
                        break
                    pair["mute"] = how
                pair["far"].sendall(data)
        self._end(pair)

    def _back(self, pair):
        with contextlib.suppress(OSError):
            while data := pair["far"].recv(65536):
                if pair["mute"] == "answer":
                    break
                if not pair["mute"]:
                    pair["near"].sendall(data)
        if pair["mute"] != "silence":
            self._end(pair)

    @staticmethod
    def _end(pair):
        for end in (pair["near"], pair["far"]):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in self._open:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for end in self._open:
            end.close()
