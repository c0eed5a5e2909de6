#!/usr/bin/env python3
"""Converts the stored corpora, corpus/TARGET.txt with one input per line, to files and back.

    corpus.py unpack TARGET FOLDER    writes each input into a file of FOLDER, which is emptied first
    corpus.py pack TARGET PATH...     adds the inputs in these files and folders; sorts the lines

A line is `"input"` or `name="input"`. Printable ASCII is written as it is, also quotes: the input ends at the
last quote of the line. All other bytes are written as \\n, \\r, \\t, \\\\ or \\xNN. Lines that start with `#` are
comments. `pack` moves them to the top of the file.
"""

import hashlib
import re
import shutil
import sys
from pathlib import Path

CORPUS = Path(__file__).resolve().parent / "corpus"
LINE = re.compile(r'(?:([a-z0-9-]+)=)?"(.*)"')
ESCAPES = {"\n": r"\n", "\r": r"\r", "\t": r"\t", "\\": r"\\"}
BYTES = {text: char.encode() for char, text in ESCAPES.items()}


def escape(data):
    return "".join(
        ESCAPES.get(char) or (char if " " <= char <= "~" else f"\\x{ord(char):02X}") for char in data.decode("latin-1")
    )


def unescape(text):
    parts = re.split(r"(\\x[0-9A-F]{2}|\\[nrt\\])", text)
    for literal in parts[::2]:
        if "\\" in literal or not literal.isascii() or not literal.isprintable():
            raise ValueError(f"not escaped: {literal!r}")
    return b"".join(
        BYTES.get(part) or (bytes.fromhex(part[2:]) if part.startswith("\\x") else part.encode()) for part in parts
    )


def read(path):
    """Returns the comments of the file, and its inputs with their names."""
    comments, inputs = [], {}
    for number, line in enumerate(path.read_text("ascii").splitlines(), 1):
        if line.startswith("#"):
            comments.append(line)
            continue
        match = LINE.fullmatch(line)
        if not match:
            sys.exit(f"{path}:{number}: neither \"input\" nor name=\"input\"")
        try:
            inputs[unescape(match[2])] = match[1]
        except ValueError as error:
            sys.exit(f"{path}:{number}: {error}")
    return comments, inputs


def unpack(target, folder):
    _, inputs = read(CORPUS / f"{target}.txt")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for data, name in inputs.items():
        # libFuzzer also uses the SHA-1 of an input as its file name.
        folder.joinpath(name or hashlib.sha1(data).hexdigest()).write_bytes(data)


def pack(target, paths):
    stored = CORPUS / f"{target}.txt"
    comments, inputs = read(stored) if stored.exists() else ([], {})
    before = len(inputs)
    for path in paths:
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        for file in files:
            inputs.setdefault(file.read_bytes(), None)
    # Inputs with a name first.
    lines = sorted(inputs.items(), key=lambda it: (it[1] is None, it[1] or "", escape(it[0])))
    texts = [f'{name}="{escape(data)}"' if name else f'"{escape(data)}"' for data, name in lines]
    stored.write_text("".join(line + "\n" for line in comments + texts), "ascii")
    print(f"{stored.name}: {len(inputs) - before} added, {len(inputs)} inputs")


match sys.argv[1:]:
    case ["unpack", target, folder]:
        unpack(target, Path(folder))
    case ["pack", target, *paths] if paths:
        pack(target, [Path(path) for path in paths])
    case _:
        sys.exit(__doc__)
