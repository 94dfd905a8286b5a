"""Runs a command in a terminal of its own and types to it.

usage: in-terminal.py SCRIPT COMMAND [ARGS...]
SCRIPT is JSON: [["expect", "text"], ["send", "text"], ["resize", rows, columns], ...]. Each "expect" waits for text in what
the command has written since the one before. Prints {"code": exit code, "output": "..."}; code -1 when a wait was in vain.
"""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

DEADLINE = time.time() + 20
script = json.loads(sys.argv[1])
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])

output = b""
seen = 0


def size(rows, columns):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def finish(code):
    print(json.dumps({"code": code, "output": output.decode(errors="replace")}))
    sys.exit(0)


def read_some():
    """False at the end of the command's output."""
    global output
    if time.time() > DEADLINE:
        os.kill(pid, signal.SIGKILL)
        finish(-1)
    if not select.select([terminal], [], [], 0.1)[0]:
        return True
    try:
        part = os.read(terminal, 65536)
    except OSError:
        part = b""
    output += part
    return part != b""


size(24, 80)
for verb, *values in script:
    if verb == "expect":
        while (at := output.find(values[0].encode(), seen)) < 0:
            if not read_some():
                finish(-1)
        seen = at + len(values[0])
    elif verb == "send":
        os.write(terminal, values[0].encode())
    elif verb == "resize":
        size(*values)
while read_some():
    pass
finish(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
