"""What a process does with sockets, native code included, as strace and /proc tell."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep

_CALL = re.compile(r"^\d+ +(\w+)\(")
_SECONDS = 300  # that a tracer may take to write down the end
_STATE, _LISTENING = 3, "0A"  # the column of /proc/net/tcp, and the state


def strace(to: Path) -> list[str]:
    """The words to put before a command to have its network calls written to a file; none without strace.

    With ``-D`` the process that is started is the command's own, not strace's.
    """
    words = ["strace", "-D", "-f", "-q", "-e", "trace=%network"]
    for fast in (["--seccomp-bpf"], []):  # only the calls that are asked for stop the process
        check = [*words, *fast, "-e", "signal=none", "-o", "/dev/null", "true"]
        if shutil.which("strace") and subprocess.run(check, capture_output=True).returncode == 0:
            return [*words, *fast, "-o", str(to), "--"]
    return []


def traced_sockets(trace: Path, pid: int) -> list[str]:
    """The calls of a traced process that has ended: those that listen, and those that begin or address
    something. Pairs of sockets within the process and what comes from visitors are left out."""
    deadline = monotonic() + _SECONDS
    ended = re.compile(rf"^{pid} +\+\+\+ ", re.MULTILINE)  # strace pads numbers of fewer than five digits
    while not ended.search(text := trace.read_text(errors="replace")):
        assert monotonic() < deadline, f"{trace}: strace did not see {pid} end"
        sleep(0.05)
    calls = []
    for line in text.splitlines():
        match = _CALL.match(line)
        name = match[1] if match else ""
        sends = name in ("sendto", "sendmsg", "sendmmsg") and "sa_family" in line
        datagrams = name == "socket" and "SOCK_DGRAM" in line and "AF_UNIX" not in line
        if name in ("listen", "connect") or sends or datagrams:
            calls.append(line.split(maxsplit=1)[1])
    return calls


class SocketsInProc:
    """Looks at a process's sockets again and again, as long as the block lasts (Linux).

    One that is open for less than a few milliseconds may be missed, such as a question to a name server that
    answers at once; a connection, or one that does not answer, is open for longer.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._ended = Event()
        self._thread = Thread(target=self._look)
        self.seen: set[str] = set()  # protocol, local and remote address, state
        self.looks = 0

    @staticmethod
    def works() -> bool:
        return sys.platform == "linux" and Path("/proc/self/net/tcp").is_file()

    def __enter__(self) -> SocketsInProc:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def beside(self, port: int) -> list[str]:
        """What was seen but for the socket that listens at the port, and those of its visitors."""
        ours = f":{port:04X}"
        return sorted(one for one in self.seen if not one.split()[1].endswith(ours))

    def _look(self) -> None:
        while not self._ended.wait(0.005):
            try:
                links = {str(link.readlink()) for link in Path(f"/proc/{self._pid}/fd").iterdir()}
            except OSError:  # a file that was closed meanwhile, or the process has ended
                continue
            self.looks += 1
            inodes = {link[8:-1] for link in links if link.startswith("socket:[")}
            for protocol in ("tcp", "tcp6", "udp", "udp6", "raw", "raw6"):
                self._note(protocol, inodes)

    def _note(self, protocol: str, inodes: set[str]) -> None:
        try:
            lines = Path(f"/proc/{self._pid}/net/{protocol}").read_text().splitlines()[1:]
        except OSError:
            return
        for line in lines:
            columns = line.split()
            if columns[9] in inodes:
                self.seen.add(f"{protocol} {columns[1]} {columns[2]} {columns[_STATE]}")

    @property
    def listening(self) -> list[str]:
        return sorted(one.split()[1] for one in self.seen if one.endswith(_LISTENING))
