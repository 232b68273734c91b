"""Verifies what `bulla audit prove` printed, against a key that came another way. Written from spec/audit-log.md alone.

    verify_proof.py FILE PUBLIC_KEY_TEXT

prints `verified event N of M` and exits 0, or says on stderr why it refuses and exits 1. The numbers in the comments are the
specification's sections.
"""

import base64
import datetime
import hashlib
import json
import re
import sys
import unicodedata
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FORMAT = "bulla-audit-proof/1"
MEMBERS = {
    "format": str,
    "event": str,
    "sequence": int,
    "size": int,
    "inclusionPath": list,
    "checkpoint": str,
    "key": str,
    "keyStatements": list,
}
MAX_INTEGER = 2**53 - 1
MAX_EVENT_BYTES = 262_144
MAX_DEPTH = 32
MAX_NOTE_BYTES = 16_384
MAX_SIGNATURES = 16
MAX_PATH = 64
ED25519 = b"\x01"


class Refused(Exception):
    """What was given does not verify; the text says why."""


def verify_bundle(text, trusted):
    """Checks a proof bundle (§7) against the verifier key in `trusted`; returns the event's number and the checkpoint's size."""
    bundle = read_bundle(text)
    refuse_unless(bundle["key"] == trusted, "the bundle's key is not the trusted one")
    keys = KeyChain(VerifierKey.parse(trusted))
    for statement in bundle["keyStatements"]:
        keys.extend(statement)
    checkpoint = keys.read_checkpoint(bundle["checkpoint"])
    sequence, size = bundle["sequence"], bundle["size"]
    refuse_unless(size == checkpoint.size, "the size is not the checkpoint's")
    refuse_unless(0 <= sequence < size, "the event's number is not below the size")
    event = from_base64(bundle["event"])
    path = [from_base64(step) for step in bundle["inclusionPath"]]
    refuse_unless(root_by_path(event, sequence, size, path) == checkpoint.root, "the path does not lead to the checkpoint's root")
    refuse_unless(typed(read_event(event), "sequence", int) == sequence, "the event names another sequence")
    return sequence, size


def read_bundle(text):
    """Parses the one JSON document of §7: exactly its members, each of its type."""
    bundle = read_json(text)
    refuse_unless(type(bundle) is dict, "the bundle is no object")
    refuse_unless(bundle.keys() == MEMBERS.keys(), "the bundle has other members")
    for name, kind in MEMBERS.items():
        typed(bundle, name, kind)
    refuse_unless(bundle["format"] == FORMAT, "another format")
    for item in bundle["inclusionPath"] + bundle["keyStatements"]:
        refuse_unless(type(item) is str, "an item of an array is no string")
    return bundle


def root_by_path(event, sequence, size, path):
    """Computes the root to which an inclusion path leads (§7, RFC 9162 §2.1.3.2)."""
    refuse_unless(len(path) <= MAX_PATH, "the path is too long")
    fn, sn, root = sequence, size - 1, leaf(event)
    for step in path:
        refuse_unless(len(step) == 32, "a step of the path is no hash")
        refuse_unless(sn != 0, "the path goes on above the root")
        if fn % 2 == 1 or fn == sn:
            root = node(step, root)
            while fn % 2 == 0 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            root = node(root, step)
        fn, sn = fn >> 1, sn >> 1
    refuse_unless(sn == 0, "the path ends below the root")
    return root


def read_event(data):
    """Parses an event and refuses one that is not canonical (§2)."""
    refuse_unless(len(data) <= MAX_EVENT_BYTES, "the event is too long")
    event = read_json(data)
    refuse_unless(type(event) is dict, "the event is no object")
    refuse_unless(canonical(event, 0).encode() == data, "the event is not canonical")
    return event


def canonical(value, depth):
    """Writes a value as RFC 8785 has it, for integers only."""
    refuse_unless(depth <= MAX_DEPTH, "the event nests too deep")
    if type(value) is dict:
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(f"{canonical(name, depth)}:{canonical(value[name], depth + 1)}" for name in names) + "}"
    if type(value) is list:
        return "[" + ",".join(canonical(item, depth + 1) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def leaf(event):
    return hashlib.sha256(b"\x00" + event).digest()


def node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True)
class VerifierKey:
    """A name and an Ed25519 key (§6.1)."""

    name: str
    public_key: bytes

    @staticmethod
    def parse(text):
        parts = text.split("+", 2)
        refuse_unless(len(parts) == 3, "this is no verifier key")
        key = from_base64(parts[2])
        refuse_unless(len(key) == 33 and key[:1] == ED25519, "the key is not of Ed25519")
        parsed = VerifierKey(parts[0], key[1:])
        refuse_unless(is_name(parsed.name), "this is no name of a key")
        refuse_unless(str(parsed) == text, "the key's id is not that of the key")
        return parsed

    @property
    def id(self):
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.public_key).digest()[:4]

    def __str__(self):
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(ED25519 + self.public_key).decode()}"

    def verify(self, signature, text):
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, text)
        except (InvalidSignature, ValueError):
            raise Refused("a signature does not verify") from None


def read_note(note, known):
    """Checks a signed note (§6): returns the lines of its text, and those of the known keys that signed it."""
    data = utf8(note)
    refuse_unless(len(data) <= MAX_NOTE_BYTES, "a note is too long")
    refuse_unless(all(byte >= 0x20 or byte == 0x0A for byte in data), "a note has a control character")
    text, empty_line, signatures = note.rpartition("\n\n")
    refuse_unless(empty_line and signatures.endswith("\n"), "this is no signed note")
    text, lines = text + "\n", signatures[:-1].split("\n")
    refuse_unless(len(lines) <= MAX_SIGNATURES, "a note has too many signatures")
    signers = set()
    for line in lines:
        form = re.fullmatch(r"— ([^ ]+) ([^ ]+)", line)
        refuse_unless(form and is_name(form[1]), "a signature line of another form")
        signature = from_base64(form[2])
        refuse_unless(len(signature) > 4, "a signature line of another form")
        for key in known:
            if (key.name, key.id) == (form[1], signature[:4]):
                refuse_unless(key not in signers, "two signatures by one key")
                refuse_unless(len(signature) == 68, "a signature has not 64 bytes")
                key.verify(signature[4:], text.encode())
                signers.add(key)
    return text[:-1].split("\n"), signers


@dataclass(frozen=True)
class Checkpoint:
    size: int
    root: bytes
    chain: bytes
    revision: int


class KeyChain:
    """The keys of a log, from the trusted one on, each with the smallest size that it signs (§6.2)."""

    def __init__(self, trusted):
        self.origin = trusted.name
        self.keys = [(0, trusted)]

    def extend(self, statement):
        """Adds the key that a statement brings."""
        lines, _ = read_note(statement, [])
        refuse_unless(len(lines) == 6 and lines[:2] == [self.origin, "bulla/audit-key/1"], "this is no key statement of this log")
        number, start = decimal(member(lines[2], "number")), decimal(member(lines[4], "from"))
        new = VerifierKey(self.origin, hash_from_base64(member(lines[3], "key")))
        check_time(member(lines[5], "time"))
        last_start, old = self.keys[-1]
        refuse_unless(number == len(self.keys) + 1, "a key statement does not have the next number")
        refuse_unless(start > last_start, "a key statement does not begin after the one before")
        refuse_unless(new.id not in [key.id for _, key in self.keys], "a key comes twice")
        _, signers = read_note(statement, [old, new])
        refuse_unless(signers == {old, new}, "a key statement lacks a signature")
        self.keys.append((start, new))

    def in_force(self, size):
        return [key for start, key in self.keys if start <= size][-1]

    def read_checkpoint(self, note):
        """Checks a checkpoint (§6): signed by the key in force at its size."""
        lines, signers = read_note(note, [key for _, key in self.keys])
        refuse_unless(len(lines) == 6 and lines[0] == self.origin, "this is no checkpoint of this log")
        checkpoint = Checkpoint(
            size=decimal(lines[1]),
            root=hash_from_base64(lines[2]),
            chain=hash_from_base64(member(lines[3], "chain")),
            revision=decimal(member(lines[4], "metadata")),
        )
        check_time(member(lines[5], "time"))
        refuse_unless(self.in_force(checkpoint.size) in signers, "the key in force has not signed the checkpoint")
        return checkpoint


def member(line, name):
    refuse_unless(line.startswith(name + " "), f"a note lacks its line {name}")
    return line[len(name) + 1 :]


def decimal(text):
    refuse_unless(re.fullmatch(r"0|[1-9][0-9]{0,15}", text) and int(text) <= MAX_INTEGER, f"{text!r} is no number")
    return int(text)


def check_time(text):
    parts = re.fullmatch(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})\.([0-9]{6})Z", text)
    try:
        refuse_unless(parts and datetime.datetime(*map(int, parts.groups())).year >= 1970, f"{text!r} is no time")
    except ValueError:
        raise Refused(f"{text!r} is no time") from None


def is_name(text):
    """Tells whether a text may be an origin, and so the name of its keys (§6)."""
    forbidden = any(char == "+" or char.isspace() or unicodedata.category(char) == "Cc" for char in text)
    return 1 <= len(utf8(text)) <= 255 and not forbidden


def from_base64(text):
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except ValueError:
        raise Refused("this is not Base64") from None
    refuse_unless(base64.b64encode(data).decode() == text, "Base64 that is not canonical")
    return data


def hash_from_base64(text):
    data = from_base64(text)
    refuse_unless(len(data) == 32, "this is not 32 bytes")
    return data


def read_json(data):
    """Parses UTF-8 JSON whose numbers are integers within ±(2^53 − 1) and whose names are unique."""
    try:
        text = data.decode() if type(data) is bytes else data
        numbers = {"parse_int": integer, "parse_float": refuse_number, "parse_constant": refuse_number}
        value = json.loads(text, object_pairs_hook=unique, **numbers)
        utf8(json.dumps(value, ensure_ascii=False))
        return value
    except (ValueError, RecursionError):
        raise Refused("this is not JSON in UTF-8") from None


def unique(pairs):
    refuse_unless(len(dict(pairs)) == len(pairs), "a name comes twice")
    return dict(pairs)


def integer(text):
    refuse_unless(text != "-0", "a negative zero is no integer")
    refuse_unless(len(text) <= 17 and abs(int(text)) <= MAX_INTEGER, "a number is too large")
    return int(text)


def refuse_number(text):
    raise Refused(f"{text} is no integer")


def typed(members, name, kind):
    refuse_unless(type(members.get(name)) is kind, f"{name} is missing or of another type")
    return members[name]


def utf8(text):
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise Refused("a text is not Unicode") from None


def refuse_unless(condition, reason):
    if not condition:
        raise Refused(reason)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: verify_proof.py FILE PUBLIC_KEY_TEXT")
    try:
        with open(sys.argv[1], "rb") as file:
            number, total = verify_bundle(file.read(), sys.argv[2].strip())
    except Refused as reason:
        sys.exit(f"refused: {reason}")
    print(f"verified event {number} of {total}")
