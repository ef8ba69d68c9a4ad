"""A person at a pseudo-terminal, for tests: types, waits for words, sees the exit status."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time

PATIENCE_S = 60.0  # a bound, never waited for: a busy machine is no failure


class Terminal:
    """`argv` in a session of its own whose controlling terminal is ours."""

    def __init__(self, argv, *, env=None, cwd=None, rows=24, columns=100):
        self.seen = bytearray()
        self.status = None
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                for number in (signal.SIGINT, signal.SIGQUIT):  # ignored when the tests run in the background
                    signal.signal(number, signal.SIG_DFL)
                if cwd:
                    os.chdir(cwd)
                os.execvpe(argv[0], argv, env or os.environ)
            finally:
                os._exit(99)
        self.resize(rows, columns)

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.fd, text.encode() if isinstance(text, str) else text)

    def wait_for(self, word, *, count=1):
        """All output up to now, once `word` was seen `count` times; fails the test otherwise."""
        want = word.encode() if isinstance(word, str) else word
        end = time.monotonic() + PATIENCE_S
        while self.seen.count(want) < count:
            if time.monotonic() > end or not self._read(0.2):
                raise AssertionError(f"no {word!r} in {self.seen[-3000:]!r}")
        return bytes(self.seen)

    def forget(self):
        self.seen = bytearray()

    def wait(self):
        """The wait status, after all output was read."""
        end = time.monotonic() + PATIENCE_S
        while self.status is None and time.monotonic() < end:
            while self._read(0.02, quiet=True):
                pass
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = status
        while self._read(0.05, quiet=True):
            pass
        assert self.status is not None, f"still running: {self.seen[-2000:]!r}"
        return self.status

    def _read(self, wait_s, quiet=False):
        if not select.select([self.fd], [], [], wait_s)[0]:
            return not quiet
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.seen += data
        return bool(data)

    def close(self):
        if self.status is None:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
        with contextlib.suppress(OSError):
            os.close(self.fd)
