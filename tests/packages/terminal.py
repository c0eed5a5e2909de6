"""Runs a command in a terminal of its own: python3 terminal.py COMMAND ARGUMENTS…

Standard input is what a user types, standard output what the terminal shows. As the shell of a user, the first process of the
terminal stays when the command has ended; it ends at Ctrl+D.
"""

import pty
import signal
import subprocess
import sys
import termios

if sys.argv[1] == "--first":
    # A handler, because the command would inherit that a signal is ignored.
    signal.signal(signal.SIGINT, lambda *_: None)
    # Lines end as in a pipe.
    settings = termios.tcgetattr(1)
    settings[1] &= ~termios.ONLCR
    termios.tcsetattr(1, termios.TCSANOW, settings)
    subprocess.call(sys.argv[2:])
    sys.stdin.read()
else:
    pty.spawn([sys.executable, __file__, "--first", *sys.argv[1:]])
