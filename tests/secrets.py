#!/usr/bin/env python3
"""Searches what the tests printed and logged for secrets, and fails when it finds one.

    tests/secrets.py FOLDER     every file below it

It searches for the access keys and other secrets of the tests, and for text with the form of a secret:
tokens, seals, signatures, keys in connection strings, codes in URLs. Arguments of calls are not secrets:
debug logs may contain an argument that did not bind. Before the search, the script creates a file with one
secret of each kind and checks that it finds all of them, so that a pattern that matches nothing is detected.
"""

import re
import sys
import tempfile
from pathlib import Path

# Secrets of the tests, by their words.
KNOWN = {
    "the access key of the tests, the emulator's": "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH",
    "the access key of the second service": "the-key-of-the-other-service-0123456789",
    "the access key of the processes under test": "a-key-of-this-test-with-more-than-32-bytes",
    "the claims key": "a claims key of at least thirty-two bytes",
    "the temporary key of the service": "the temporary key of the service, 32 b",
    "the secret of the identity provider": "the identity provider's own secret",
    "the secret of bearer tokens": "a secret of at least thirty-two bytes",
    "the planted key": "planted-key-7Qw3vX9sT2mK8bN4cZ6r",
    "the planted value of a claim": "planted-claim-5fGh1J",
    "the planted value of a query": "planted-query-3rTy6U",
    "the planted code of the address": "planted-code-9zXc4V",
    "the planted user": "planted-user-2wEr7T",
    "the planted cookie": "planted-cookie-6sWd2N",
    "the planted header": "planted-header-4pLk9V",
}

# The form of each kind of secret. Each pattern requires enough characters to exclude other text.
SHAPES = {
    "a token": rb"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{20,}",
    "a seal": rb"\b1\.eyJ[\w-]{8,}\.[\w-]{43}",
    "a signature": rb"(?i:sha256=)[0-9A-Fa-f]{64}",
    "the key of a connection string": rb"(?i:accesskey=)[\w+/=-]{8,}",
    "a bearer": rb"(?i:bearer )[\w.+/=-]{24,}",
    "a token in a query": rb"(?i:access_token=)[\w.%-]{16,}",
    "the code of an address": rb"[?&](?i:code=)[\w%-]{4,}",
}

# Complete lines that may contain a secret, and the reason.
ALLOWED = {
    rb"  Connection string   Endpoint=http://localhost;Port=\d+;AccessKey=ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH;Version=1\.0;":
        "`hub-local start` prints the well-known key of the emulator; it does not print other keys",
    rb'\{"url":"http://127\.0\.0\.1:\d+","port":\d+,"connectionString":"Endpoint=http://127\.0\.0\.1;Port=\d+;AccessKey=ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH;Version=1\.0;","inspector":("[^"]*"|null)\}':
        "`hub-local start --json` prints the connection string for the program that started it",
}


def searched():
    words = b"|".join(re.escape(word.encode()) for word in KNOWN.values())
    shapes = b"|".join(rb"(?:%s)" % shape for shape in SHAPES.values())
    return re.compile(words + b"|" + shapes)


def kind(found):
    for name, word in KNOWN.items():
        if word.encode() == found:
            return name
    return next(name for name, shape in SHAPES.items() if re.fullmatch(shape, found))


def search(folder):
    """Every line with a secret, as (file, number, kind); and how many bytes were looked at."""
    pattern, hits, size = searched(), [], 0
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        text = path.read_bytes()
        size += len(text)
        for match in pattern.finditer(text):
            begin = text.rfind(b"\n", 0, match.start()) + 1
            end = text.find(b"\n", match.end())
            line = text[begin : end if end >= 0 else len(text)]
            if not any(re.fullmatch(allowed, line) for allowed in ALLOWED):
                hits.append((path, text.count(b"\n", 0, begin) + 1, kind(match.group())))
    return hits, size


def must_find():
    """One secret of each kind, as it would stand in a log; and lines that only look like one."""
    mac = "hKf3Xo2bQm7Lq9ZtY5wRcD8sVn1uJpGaE4iTx6BvMzk"
    planted = dict(KNOWN)
    planted |= {
        "a token": "eyJhbGciOiJIUzI1NiJ9.eyJhdWQiOiJodHRwIn0." + mac,
        "a seal": "shub: 1.eyJoIjoiY2hhdCJ9." + mac,
        "a signature": 'x-asrs-signature: "sha256=' + "0F" * 32 + '"',
        "the key of a connection string": "Endpoint=http://x;accesskey=QUJDREVGR0g=;",
        "a bearer": "authorization: Bearer " + "k" * 24,
        "a token in a query": "/client?hub=chat&access_token=" + "k" * 24,
        "the code of an address": "POST /runtime/webhooks/signalr?code=s3cret",
    }
    harmless = [
        "AccessKey=<your key>", "AccessKey=…;Version=1.0;", "Bearer <token>", "access_token=***",
        "X-ASRS-Signature is missing", "test tokens::a_code_is_asked_for ... ok", "sha256=00",
        'the query parameter `code` is missing', "1.eyJ", "eyJhbGciOiJIUzI1NiJ9",
    ]
    for name, line in [*planted.items(), *((None, line) for line in harmless)]:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "log").write_text(f"before\n{line}\nafter\n")
            hits = [(number, kind) for _, number, kind in search(Path(folder))[0]]
        expected = [(2, name)] if name else []
        if hits != expected:
            sys.exit(f"tests/secrets.py finds {hits} in `{line}`, and should find {expected}")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    must_find()
    hits, size = search(Path(sys.argv[1]))
    if size < 100_000:
        sys.exit(f"tests/secrets.py: only {size} bytes below {sys.argv[1]}: the tests did not record")
    for path, number, name in hits[:50]:
        print(f"{path}:{number}: {name}", file=sys.stderr)
    if hits:
        sys.exit(f"tests/secrets.py: {len(hits)} secrets in what the tests printed")
    print(f"no secret in {size / 1e6:.1f} MB of what the tests printed and logged")


if __name__ == "__main__":
    main()
