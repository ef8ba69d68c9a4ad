"""One child process whose stderr passes through us unchanged while its last megabyte is remembered.

The child stays in our process group and session: the terminal's own signals reach it directly, job control
and the controlling terminal stay exactly as the shell arranged them. Signals sent to us alone are passed
on; when the child stops we stop, when we continue it continues. Refuses to interpret, buffer, colour or
reorder a byte.

Only builtin modules are loaded: this code stands before every command of a person in a hurry.
"""

import errno
import fcntl
import os
import select
import signal
import termios

from luminous.node.shell.ring import Ring

READ_SIZE_BYTES = 64 * 1024
PIPE_SIZE_BYTES = 1024 * 1024
# What may still lie in the pipe when the child has ended. Stops a flooding grandchild from holding us.
DRAIN_SIZE_BYTES_MAX = 2 * PIPE_SIZE_BYTES
NOT_FOUND, NOT_EXECUTABLE = 127, 126
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
_STOPS = (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
_ATTENDED = (*_FORWARDED, *_STOPS, signal.SIGCONT, signal.SIGWINCH, signal.SIGCHLD)


class Ended:
    """How a child ended.

    `status` as of waitpid, `tail` of its stderr, `error` when it could not be started.
    """

    __slots__ = ("error", "status", "tail", "total_bytes")

    def __init__(self, status: int, tail: bytes, total_bytes: int, error: OSError | None = None) -> None:
        self.status = status
        self.tail = tail
        self.total_bytes = total_bytes
        self.error = error

    @property
    def signal_number(self) -> int | None:
        """The signal that killed the child, or None."""
        return os.WTERMSIG(self.status) if os.WIFSIGNALED(self.status) else None

    @property
    def exit_code(self) -> int:
        """What a shell would show in `$?`: 128 + n for signal n."""
        if self.error is not None:
            return NOT_FOUND if self.error.errno in (errno.ENOENT, errno.ENOTDIR) else NOT_EXECUTABLE
        number = self.signal_number
        return os.WEXITSTATUS(self.status) if number is None else 128 + number


def relay(argv: list[str], stderr: int = 2) -> Ended:
    """Run `argv` (searched in PATH) to its end, teeing its stderr to ours.

    Returns instead of raising when the command cannot be started. Everything that the child wrote before its
    end has been written by us when this returns; a grandchild that lives on keeps a copier of its own.
    """
    ring = Ring()
    is_tty = os.isatty(stderr)
    source, sink = _open_terminal(stderr) if is_tty else _open_pipe()
    attended = {number for number in _ATTENDED if signal.getsignal(number) is not signal.SIG_IGN}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, attended)
    report_read, report_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        _become(argv, sink, mask, report_write)
    os.close(sink)
    os.close(report_write)
    try:
        failure = _read_failure(report_read)
        if failure is not None:
            os.close(source)
            os.waitpid(pid, 0)
            return Ended(0, b"", 0, failure)
        attendant = Attendant(pid, attended, (source, stderr) if is_tty else None)
        try:
            status, at_end = _pump(pid, attendant.pidfd, source, stderr, ring)
        finally:
            attendant.dismiss()
        if not at_end:
            _leave_a_copier(source, stderr)
            os.close(source)
        return Ended(status, ring.tail(), ring.total_bytes)
    finally:
        os.close(report_read)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _open_pipe() -> tuple[int, int]:
    source, sink = os.pipe()
    try:
        fcntl.fcntl(sink, fcntl.F_SETPIPE_SZ, PIPE_SIZE_BYTES)
    except (OSError, AttributeError):
        return source, sink  # a smaller pipe only means more wake-ups
    return source, sink


def _open_terminal(like: int) -> tuple[int, int]:
    """A pseudo-terminal of the same size and modes; output processing is left to the real one."""
    source, sink = os.openpty()
    try:
        modes = termios.tcgetattr(like)
        modes[1] &= ~termios.OPOST
        modes[3] &= ~termios.ECHO
        termios.tcsetattr(sink, termios.TCSANOW, modes)
    except termios.error:
        pass  # the terminal went away meanwhile; its end is the child's to notice
    copy_window_size(like, source)
    return source, sink


def copy_window_size(origin: int, target: int) -> None:
    """Make the terminal `target` as large as `origin`."""
    try:
        fcntl.ioctl(target, termios.TIOCSWINSZ, fcntl.ioctl(origin, termios.TIOCGWINSZ, b"\0" * 8))
    except OSError:
        return  # one of them is gone


def _become(argv: list[str], sink: int, mask: set[int | signal.Signals], report: int) -> None:
    """In the child: stderr, signal mask and dispositions as the caller had them, then the command."""
    try:
        os.dup2(sink, 2)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # ignored by Python, not by our caller
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        try:
            os.execvp(argv[0], argv)
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
            os.execv("/bin/sh", ["sh", *argv])  # a script without an interpreter line, as execvp(3) has it
    except OSError as error:
        os.write(report, b"%d" % (error.errno or errno.EIO))
    finally:
        os._exit(NOT_FOUND)


def _read_failure(report: int) -> OSError | None:
    number = os.read(report, 16)
    return OSError(int(number), os.strerror(int(number))) if number else None


class Attendant:
    """A thread that receives our signals, with their origin, and treats the child accordingly."""

    def __init__(self, pid: int, attended: set[signal.Signals], terminal: tuple[int, int] | None) -> None:
        import _thread

        self._pid = pid
        self._terminal = terminal
        self._leave = signal.Signals(signal.SIGRTMAX)
        signal.pthread_sigmask(signal.SIG_BLOCK, {self._leave})
        self._attended = attended | {self._leave}
        self.pidfd = _open_pidfd(pid)
        self._gone = _thread.allocate_lock()
        self._gone.acquire()
        self._thread = _thread.start_new_thread(self._attend, ())

    def dismiss(self) -> None:
        """End the thread; called once, after the child was reaped."""
        signal.pthread_kill(self._thread, self._leave)
        self._gone.acquire()
        if self.pidfd is not None:
            os.close(self.pidfd)

    def _attend(self) -> None:
        try:
            while True:
                info = signal.sigwaitinfo(self._attended)
                if info.si_signo == self._leave:
                    return
                self._treat(info.si_signo, by_kernel=info.si_code > 0)
        finally:
            self._gone.release()

    def _treat(self, number: int, *, by_kernel: bool) -> None:
        if number == signal.SIGCHLD:
            self._stop_like(_stop_of(self._pid))
        elif number == signal.SIGWINCH:
            if self._terminal is not None:
                copy_window_size(self._terminal[1], self._terminal[0])
            self._send(number)
        elif number == signal.SIGCONT or not by_kernel:
            self._send(number)
        # else: the terminal sent it to the whole group, so the child has it already

    def _stop_like(self, number: int | None) -> None:
        """Stop ourselves as the child was stopped: never before it, never when it declined to stop."""
        if number is None:
            return
        if number not in _STOPS:
            os.kill(os.getpid(), signal.SIGSTOP)
            return
        signal.pthread_kill(self._thread, number)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})  # the default action stops us here
        signal.pthread_sigmask(signal.SIG_BLOCK, {number})

    def _send(self, number: int) -> None:
        try:
            if self.pidfd is not None:
                signal.pidfd_send_signal(self.pidfd, number)
            else:
                os.kill(self._pid, number)
        except (ProcessLookupError, PermissionError):
            pass  # it ended, or became another user's (sudo relays by itself)


def _open_pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None  # an older kernel or another system: polled instead


def _stop_of(pid: int) -> int | None:
    """The signal that stopped the child, told once for every stop; None when it runs."""
    try:
        found = os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG)
    except ChildProcessError:
        return None
    return found.si_status if found is not None else None


def _pump(pid: int, pidfd: int | None, source: int, target: int, ring: Ring) -> tuple[int, bool]:
    """Copy until the child ends; its wait status, and whether the source came to its end and was closed.

    When nobody reads us any more the source is closed at once: the child then meets the broken pipe itself.
    """
    poll = select.poll()
    poll.register(source, select.POLLIN)
    if pidfd is not None:
        poll.register(pidfd, select.POLLIN)
    at_end = False
    while True:
        ready = [fd for fd, _ in poll.poll(None if pidfd is not None else 50)]
        if source in ready and not _copy_some(source, target, ring):
            at_end = True
            poll.unregister(source)
            os.close(source)
        if pidfd in ready or pidfd is None:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                return status, at_end or _drain(source, target, ring)


def _drain(source: int, target: int, ring: Ring) -> bool:
    """Copy what was written before the end. True when nobody can write any more."""
    os.set_blocking(source, False)
    limit = ring.total_bytes + DRAIN_SIZE_BYTES_MAX
    while ring.total_bytes < limit:
        try:
            if not _copy_some(source, target, ring):
                os.close(source)
                return True
        except BlockingIOError:
            return False
    return False


def _copy_some(source: int, target: int, ring: Ring) -> bool:
    """One read and its write. False at the end of the source, or when nobody reads what we write."""
    try:
        data = os.read(source, READ_SIZE_BYTES)
    except BlockingIOError:
        raise
    except OSError:
        return False  # EIO: every holder of the pseudo-terminal closed it
    if not data:
        return False
    ring.push(data)
    return write_all(target, data)


def write_all(target: int, data: bytes) -> bool:
    """Write everything, waiting where another program made the descriptor non-blocking.

    False when it is gone.
    """
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(target, view) :]
        except BlockingIOError:
            waiter = select.poll()
            waiter.register(target, select.POLLOUT)
            waiter.poll()
        except OSError:
            return False
    return True


def _leave_a_copier(source: int, target: int) -> None:
    """A grandchild still holds the stderr that we gave it.

    Copy on in a process of our own, as long as it lives.
    """
    if os.fork() != 0:
        return
    try:
        for number in (signal.SIGINT, signal.SIGTSTP, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        os.set_blocking(source, True)
        for fd in (0, 1):
            os.close(fd)
        while True:
            data = os.read(source, READ_SIZE_BYTES)
            if not data or not write_all(target, data):
                break
    except OSError:
        pass
    finally:
        os._exit(0)
