"""Replays the specifications' vectors without a line of Bulla's own code: contexts, records, ciphertext blobs and the audit log.

    check_vectors.py DIRECTORY

Written from spec/context.md, spec/record.md, spec/ciphertext-blob.md and spec/audit-log.md alone. Exits 0 with how many vectors
agreed, 1 at the first that does not.
"""

import base64
import hashlib
import hmac
import json
import pathlib
import re
import sys

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from verify_proof import KeyChain, Refused, VerifierKey, from_base64, leaf, node, read_event, read_json, refuse_unless
from verify_proof import check_time, typed, verify_bundle

MAX_CONTEXT = 8_192
MAX_RECORD = 67_108_864
MAX_KEY, MAX_WRAPPED_KEY, MAX_BINDING = 512, 6_144, 65_536
MAX_BLOB = 65_703
MAGIC, SALT_MARK = bytes.fromhex("0102020078"), b"\x01"
INNER_HEADER = b"\x01" + bytes(10)
TEXT_PREFIX = "bulla.1."
JSON_OCTETS = {
    "encryptedDataKey": "wrappedKey",
    "commitment": "commitment",
    "iv": "nonce",
    "encrypted": "ciphertext",
    "authTag": "tag",
}


class Reader:
    """Takes bytes from the front, and refuses what ends too early."""

    def __init__(self, data):
        self.data = data

    def take(self, size):
        refuse_unless(len(self.data) >= size, "it ends early")
        taken, self.data = self.data[:size], self.data[size:]
        return taken

    def number(self, size):
        return int.from_bytes(self.take(size))

    def text(self, size):
        try:
            return self.take(size).decode()
        except UnicodeDecodeError:
            raise Refused("this is not UTF-8") from None

    def element(self, tag):
        """Takes a DER element of this tag, with its length in the fewest octets."""
        refuse_unless(self.take(len(tag)) == tag, "another element")
        size = self.number(1)
        if size >= 128:
            octets = size - 128
            refuse_unless(1 <= octets <= 3, "a length of another form")
            size = self.number(octets)
            refuse_unless(size >= (128 if octets == 1 else 1 << 8 * (octets - 1)), "a length of another form")
        return Reader(self.take(size))

    def end(self):
        refuse_unless(not self.data, "something follows")


# spec/context.md


def write_context(pairs):
    encoded = sorted((key.encode(), value.encode()) for key, value in pairs)
    body = b"".join(sized(2, key) + sized(2, value) for key, value in encoded)
    context = len(encoded).to_bytes(2) + body
    refuse_unless(len(context) <= MAX_CONTEXT, "the context is too long")
    refuse_unless(len(dict(encoded)) == len(encoded), "a key comes twice")
    return context


def read_context(data):
    refuse_unless(len(data) <= MAX_CONTEXT, "the context is too long")
    reader, pairs = Reader(data), []
    for _ in range(reader.number(2)):
        pairs.append((reader.text(reader.number(2)), reader.text(reader.number(2))))
    reader.end()
    keys = [key.encode() for key, _ in pairs]
    refuse_unless(all(first < second for first, second in zip(keys, keys[1:])), "keys that do not ascend")
    return pairs


def check_contexts(vectors):
    for vector in vectors["valid"]:
        context = bytes.fromhex(vector["canonical"])
        equal("canonical", write_context(vector["pairs"]), context)
        equal("pairs", sorted(read_context(context)), sorted(map(tuple, vector["pairs"])))
    for vector in vectors["invalid"]:
        refused(vector, read_context, bytes.fromhex(vector["bytes"]))
    return counts(vectors)


# spec/record.md


def read_record(data):
    refuse_unless(len(data) <= MAX_RECORD, "the record is too long")
    reader, record = Reader(data), {}
    refuse_unless(reader.number(1) == 1, "another version")
    refuse_unless(reader.number(1) == 1, "another suite")
    size = reader.number(2)
    refuse_unless(1 <= size <= MAX_KEY, "a key of another length")
    record["key"] = reader.text(size)
    size = reader.number(2)
    refuse_unless(1 <= size <= MAX_WRAPPED_KEY, "a wrapped key of another length")
    record["wrappedKey"] = reader.take(size)
    record["commitment"], record["nonce"] = reader.take(32), reader.take(12)
    refuse_unless(len(reader.data) >= 16, "it ends before its tag")
    record["ciphertext"], record["tag"] = reader.data[:-16], reader.data[-16:]
    return record


def write_record(record):
    head = b"\x01\x01" + sized(2, record["key"].encode()) + sized(2, record["wrappedKey"])
    return head + record["commitment"] + record["nonce"] + record["ciphertext"] + record["tag"]


def record_keys(data_key):
    prk = extract(b"bulla/record/1", data_key)
    return expand(prk, b"encrypt\x01"), expand(prk, b"commit\x01")


def record_aad(commitment, context, binding):
    refuse_unless(len(binding) <= MAX_BINDING, "the binding is too long")
    return b"\x01\x01" + commitment + write_context(context) + sized(4, binding)


def open_record(data, data_key, context, binding):
    record = read_record(data)
    encryption_key, commitment = record_keys(data_key)
    refuse_unless(hmac.compare_digest(record["commitment"], commitment), "it does not open")
    aad = record_aad(commitment, context, binding)
    return decrypt(encryption_key, record["nonce"], record["ciphertext"] + record["tag"], aad)


def record_to_text(data):
    return TEXT_PREFIX + base64.urlsafe_b64encode(data).decode().rstrip("=")


def record_from_text(text):
    body = text.removeprefix(TEXT_PREFIX)
    refuse_unless(body != text and re.fullmatch(r"[A-Za-z0-9_-]*", body) and len(body) % 4 != 1, "this is no record in text")
    data = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    refuse_unless(record_to_text(data) == text, "unused bits that are not zero")
    return data


def record_to_json(data):
    record = read_record(data)
    view = {"version": 1, "algorithm": "AES-256-GCM", "keyId": record["key"]}
    view |= {name: base64.b64encode(record[field]).decode() for name, field in JSON_OCTETS.items()}
    return json.dumps(view, ensure_ascii=False, separators=(",", ":"))


def record_from_json(text):
    view = read_json(text)
    refuse_unless(type(view) is dict and view.keys() == {"version", "algorithm", "keyId", *JSON_OCTETS}, "other members")
    refuse_unless(type(view["version"]) is int and view["version"] == 1, "another version")
    refuse_unless(view["algorithm"] == "AES-256-GCM", "another algorithm")
    refuse_unless(all(type(view[name]) is str for name in ["keyId", *JSON_OCTETS]), "a member of another type")
    record = {"key": view["keyId"]} | {field: from_base64(view[name]) for name, field in JSON_OCTETS.items()}
    for field, size in [("commitment", 32), ("nonce", 12), ("tag", 16)]:
        refuse_unless(len(record[field]) == size, f"a {field} of another length")
    return write_record(record)


def check_records(vectors):
    for vector in vectors["valid"]:
        given = unhex(vector, "dataKey", "wrappedKey", "binding", "nonce", "plaintext", "encryptionKey", "commitment", "aad", "record")
        encryption_key, commitment = record_keys(given["dataKey"])
        aad = record_aad(commitment, vector["context"], given["binding"])
        equal("encryptionKey", encryption_key, given["encryptionKey"])
        equal("commitment", commitment, given["commitment"])
        equal("aad", aad, given["aad"])
        sealed = AESGCM(encryption_key).encrypt(given["nonce"], given["plaintext"], aad)
        parts = {"key": vector["key"], "wrappedKey": given["wrappedKey"], "commitment": commitment, "nonce": given["nonce"]}
        parts |= {"ciphertext": sealed[:-16], "tag": sealed[-16:]}
        equal("record", write_record(parts), given["record"])
        equal("what a reader sees", read_record(given["record"]), parts)
        equal("plaintext", open_record(given["record"], given["dataKey"], vector["context"], given["binding"]), given["plaintext"])
        equal("text", record_to_text(given["record"]), vector["text"])
        equal("record of the text", record_from_text(vector["text"]), given["record"])
        equal("json", record_to_json(given["record"]), vector["json"])
        equal("record of the json", record_from_json(vector["json"]), given["record"])
    for vector in vectors["invalid"]:
        refused(vector, read_record, bytes.fromhex(vector["bytes"]))
    for vector in vectors["refused"]:
        given = unhex(vector, "record", "dataKey", "binding")
        read_record(given["record"])
        refused(vector, open_record, given["record"], given["dataKey"], vector["context"], given["binding"])
    return counts(vectors)


# spec/ciphertext-blob.md

OID, INTEGER, OCTETS, SEQUENCE, EXPLICIT_0, IMPLICIT_0 = b"\x06", b"\x02", b"\x04", b"\x30", b"\xa0", b"\x80"
ENCRYPTED_DATA = bytes.fromhex("2a864886f70d010706")
DATA = bytes.fromhex("2a864886f70d010701")
AES256_GCM = bytes.fromhex("60864801650304012e")


def read_blob(data):
    refuse_unless(len(data) <= MAX_BLOB, "the blob is too long")
    reader = Reader(data)
    prefix = reader.take(54)
    refuse_unless(prefix[:5] == MAGIC and prefix[37:38] == SALT_MARK, "another prefix")
    refuse_unless(reader.number(4) == len(reader.data), "the length is not that of what follows")
    content_info = reader.element(SEQUENCE)
    exactly(content_info.element(OID), ENCRYPTED_DATA)
    explicit = content_info.element(EXPLICIT_0)
    encrypted_data = explicit.element(SEQUENCE)
    exactly(encrypted_data.element(INTEGER), b"\x00")
    encrypted_content_info = encrypted_data.element(SEQUENCE)
    exactly(encrypted_content_info.element(OID), DATA)
    algorithm = encrypted_content_info.element(SEQUENCE)
    exactly(algorithm.element(OID), AES256_GCM)
    parameters = algorithm.element(SEQUENCE)
    nonce = parameters.element(OCTETS).data
    refuse_unless(len(nonce) == 12, "a nonce of another length")
    exactly(parameters.element(INTEGER), b"\x10")
    content = encrypted_content_info.element(IMPLICIT_0).data
    refuse_unless(len(content) >= len(INNER_HEADER) + 16, "the content is too short")
    for level in (reader, content_info, explicit, encrypted_data, encrypted_content_info, algorithm, parameters):
        level.end()
    return prefix, nonce, content


def write_blob(prefix, nonce, content):
    parameters = element(SEQUENCE, element(OCTETS, nonce) + element(INTEGER, b"\x10"))
    algorithm = element(SEQUENCE, element(OID, AES256_GCM) + parameters)
    encrypted_content_info = element(SEQUENCE, element(OID, DATA) + algorithm + element(IMPLICIT_0, content))
    encrypted_data = element(SEQUENCE, element(INTEGER, b"\x00") + encrypted_content_info)
    return prefix + sized(4, element(SEQUENCE, element(OID, ENCRYPTED_DATA) + element(EXPLICIT_0, encrypted_data)))


def element(tag, content):
    size = len(content)
    octets = (size.bit_length() + 7) // 8
    return tag + (bytes([size]) if size < 128 else bytes([128 + octets]) + size.to_bytes(octets)) + content


def exactly(reader, value):
    refuse_unless(reader.data == value, "another value")


def material_id(material, key_id):
    return hmac.digest(material, sized(2, b"bulla/material-id/1") + sized(4, key_id.encode()), "sha256")


def open_blob(data, material, key_id, context):
    prefix, nonce, content = read_blob(data)
    refuse_unless(hmac.compare_digest(prefix[5:37], material_id(material, key_id)), "it does not open")
    message_key = expand(extract(b"bulla/blob/1", material), prefix[5:37] + prefix[38:])
    opened = decrypt(message_key, nonce, content, prefix + write_context(context))
    refuse_unless(opened[:11] == INNER_HEADER, "it does not open")
    return opened[11:]


def check_blobs(vectors):
    for vector in vectors["valid"]:
        given = unhex(vector, "material", "salt", "nonce", "plaintext", "materialId", "prk", "messageKey", "aad", "blob")
        key_id, prk = vector["keyId"], extract(b"bulla/blob/1", given["material"])
        equal("materialId", material_id(given["material"], key_id), given["materialId"])
        equal("prk", prk, given["prk"])
        equal("messageKey", expand(prk, given["materialId"] + given["salt"]), given["messageKey"])
        prefix = MAGIC + given["materialId"] + SALT_MARK + given["salt"]
        equal("aad", prefix + write_context(vector["context"]), given["aad"])
        content = AESGCM(given["messageKey"]).encrypt(given["nonce"], INNER_HEADER + given["plaintext"], given["aad"])
        equal("blob", write_blob(prefix, given["nonce"], content), given["blob"])
        equal("what a reader sees", read_blob(given["blob"]), (prefix, given["nonce"], content))
        equal("plaintext", open_blob(given["blob"], given["material"], key_id, vector["context"]), given["plaintext"])
        refuse_unless(base64.b64encode(given["blob"]).startswith(b"AQICAH"), "a blob that does not begin with AQICAH")
    for vector in vectors["invalid"]:
        refused(vector, read_blob, bytes.fromhex(vector["bytes"]))
    for vector in vectors["refused"]:
        given = unhex(vector, "blob", "material")
        read_blob(given["blob"])
        refused(vector, open_blob, given["blob"], given["material"], vector["keyId"], vector["context"])
    return counts(vectors)


# spec/audit-log.md


def root(leaves):
    """MTH of RFC 6962 §2.1, over leaf hashes."""
    if len(leaves) <= 1:
        return leaves[0] if leaves else hashlib.sha256().digest()
    half = split(leaves)
    return node(root(leaves[:half]), root(leaves[half:]))


def path(index, leaves):
    """PATH of RFC 6962 §2.1.1."""
    if len(leaves) == 1:
        return []
    half = split(leaves)
    if index < half:
        return path(index, leaves[:half]) + [root(leaves[half:])]
    return path(index - half, leaves[half:]) + [root(leaves[:half])]


def consistency(old, leaves, complete=True):
    """PROOF of RFC 6962 §2.1.2; `complete` is its b."""
    if old == len(leaves):
        return [] if complete else [root(leaves)]
    half = split(leaves)
    if old <= half:
        return consistency(old, leaves[:half], complete) + [root(leaves[half:])]
    return consistency(old - half, leaves[half:], False) + [root(leaves[:half])]


def split(leaves):
    """The greatest power of two below the number of leaves."""
    return 1 << (len(leaves) - 1).bit_length() - 1


def state(leaves, revision, chain):
    """The state in the head row (§5.1)."""
    size, peaks, start = len(leaves), b"", 0
    for bit in reversed(range(size.bit_length())):
        if size >> bit & 1:
            peaks += root(leaves[start : start + (1 << bit)])
            start += 1 << bit
    return b"\x01" + size.to_bytes(8) + revision.to_bytes(8) + chain + peaks


def row_digest(row):
    body = from_base64(row["body"])
    texts = b"".join(sized(4, row[name].encode()) for name in ("table", "id", "owner"))
    return hashlib.sha256(b"bulla/row/1" + texts + row["revision"].to_bytes(8) + sized(8, body)).hexdigest()


def check_events(events):
    """Checks each event, the chain (§4) and the revisions (§2.1); returns the leaves and the revision after each event."""
    previous, revision, leaves, revisions = bytes(32), 0, [], []
    for number, vector in enumerate(events):
        data = from_base64(vector["bytes"])
        event = read_event(data)
        equal("sequence", (event["sequence"], vector["sequence"]), (number, number))
        equal("previousHash", event["previousHash"], previous.hex())
        changes = event.get("changes", [])
        revision += 1 if changes else 0
        equal("metadataRevision", event["metadataRevision"], revision)
        equal("revisions of changes", {change["revision"] for change in changes} - {revision}, set())
        previous = leaf(data)
        equal("leafHash", previous, from_base64(vector["leafHash"]))
        leaves.append(previous)
        revisions.append(revision)
    return leaves, revisions


def check_audit_log(vectors):
    leaves, revisions = check_events(vectors["events"])
    for key in vectors["keys"]:
        public = Ed25519PrivateKey.from_private_bytes(from_base64(key["seed"])).public_key().public_bytes_raw()
        equal("publicKey", public, from_base64(key["publicKey"]))
        equal("verifierKey", str(VerifierKey(vectors["origin"], public)), key["verifierKey"])
    trusted = vectors["keys"][0]["verifierKey"]
    keys = KeyChain(VerifierKey.parse(trusted))
    for statement in vectors["keyStatements"]:
        keys.extend(statement)
    for head in vectors["heads"]:
        size, chain = head["size"], from_base64(head["chain"])
        checkpoint = keys.read_checkpoint(head["checkpoint"])
        expected = (size, root(leaves[:size]), leaves[size - 1], revisions[size - 1])
        equal("head", (size, from_base64(head["root"]), chain, head["metadataRevision"]), expected)
        equal("checkpoint", (checkpoint.size, checkpoint.root, checkpoint.chain, checkpoint.revision), expected)
        equal("state", from_base64(head["state"]), state(leaves[:size], revisions[size - 1], chain))
    for proof in vectors["inclusion"]:
        refuse_unless(proof["index"] < proof["size"] <= len(leaves), "an inclusion path beyond the log")
        equal("inclusion", [from_base64(step) for step in proof["path"]], path(proof["index"], leaves[: proof["size"]]))
    for proof in vectors["consistency"]:
        refuse_unless(proof["from"] <= proof["to"] <= len(leaves), "a consistency proof beyond the log")
        equal("consistency", [from_base64(step) for step in proof["path"]], consistency(proof["from"], leaves[: proof["to"]]))
    for row in vectors["rowDigests"]:
        equal("row digest", row_digest(row), row["digest"])
    for bundle in vectors["bundles"]:
        equal("bundle", verify_bundle(json.dumps(bundle), trusted), (bundle["sequence"], bundle["size"]))
    for vector in vectors["refusedBundles"]:
        refused(vector, verify_bundle, json.dumps(vector["bundle"]), trusted)
    for vector in vectors["documents"]:
        decided(vector, verify_bundle, vector["text"], trusted)
    for vector in vectors["notes"]:
        decided(vector, keys.read_checkpoint, vector["note"])
    for vector in vectors["eventForms"]:
        decided(vector, check_form, from_base64(vector["bytes"]))
    return counts(vectors)


ALWAYS = {
    "eventVersion": str,
    "eventTime": str,
    "eventSource": str,
    "eventName": str,
    "eventType": str,
    "eventID": str,
    "requestID": str,
    "awsRegion": str,
    "recipientAccountId": str,
    "sourceIPAddress": str,
    "userAgent": str,
    "userIdentity": dict,
    "readOnly": bool,
    "sequence": int,
    "previousHash": str,
    "metadataRevision": int,
}
SOMETIMES = {
    "resources": list,
    "errorCode": str,
    "errorMessage": str,
    "keyVersion": str,
    "purpose": str,
    "cacheHit": bool,
    "additionalEventData": dict,
    "intent": bool,
    "intentID": str,
    "changes": list,
}


def check_form(data):
    """Checks an event's canonical form and its known members (§2)."""
    event = read_event(data)
    for name, kind in ALWAYS.items():
        typed(event, name, kind)
    for name, kind in SOMETIMES.items():
        refuse_unless(name not in event or type(event[name]) is kind, name)
    refuse_unless(event.get("intent", True) and event.get("resources", True) and event.get("changes", True), "false or empty")
    refuse_unless(not ("intent" in event and "intentID" in event), "intent and outcome at once")
    for name in ("requestParameters", "responseElements"):
        refuse_unless(name in event and type(event[name]) in (dict, type(None)), name)
    check_time(event["eventTime"])
    hexadecimal(event["previousHash"])
    refuse_unless(event["sequence"] >= 0 and event["metadataRevision"] >= 0, "a negative number")
    identity = event["userIdentity"]
    typed(identity, "type", str)
    for name in ("principalId", "arn", "accountId", "accessKeyId", "userName"):
        refuse_unless(type(identity.get(name, "")) is str, name)
    for resource in event.get("resources", []):
        refuse_unless(type(resource) is dict and resource.keys() == {"ARN", "accountId", "type"}, "a resource of another form")
        refuse_unless(all(type(value) is str for value in resource.values()), "a resource of another form")
    for change in event.get("changes", []):
        refuse_unless(type(change) is dict and change.get("op") in ("put", "delete"), "a change of another form")
        names = {"table", "id", "op", "revision"} | ({"digest"} if change["op"] == "put" else set())
        refuse_unless(change.keys() == names, "a change of another form")
        for name in names:
            typed(change, name, int if name == "revision" else str)
        if change["op"] == "put":
            hexadecimal(change["digest"])


def hexadecimal(text):
    refuse_unless(re.fullmatch(r"[0-9a-f]{64}", text), "this is no hash")


# What the four share.


def extract(salt, secret):
    """HKDF-Extract with SHA-512 (RFC 5869)."""
    return hmac.digest(salt, secret, "sha512")


def expand(prk, info):
    """The first 32 octets of HKDF-Expand with SHA-512: one block."""
    return hmac.digest(prk, info + b"\x01", "sha512")[:32]


def decrypt(key, nonce, sealed, aad):
    try:
        return AESGCM(key).decrypt(nonce, sealed, aad)
    except InvalidTag:
        raise Refused("it does not open") from None


def sized(octets, data):
    """Bytes after their length."""
    return len(data).to_bytes(octets) + data


def unhex(vector, *names):
    return {name: bytes.fromhex(vector[name]) for name in names}


def equal(what, computed, expected):
    refuse_unless(computed == expected, f"{what}: {computed!r} is not {expected!r}")


def refused(vector, check, *arguments):
    try:
        check(*arguments)
    except Refused:
        return
    raise Refused(f"accepted: {vector['reason']}")


def decided(vector, check, *arguments):
    """Accepted or refused, as the vector says."""
    if vector["accepted"]:
        try:
            check(*arguments)
        except Refused as reason:
            raise Refused(f"refused: {vector['reason']}: {reason}") from None
    else:
        refused(vector, check, *arguments)


def counts(vectors):
    return ", ".join(f"{len(entries)} {name}" for name, entries in vectors.items() if type(entries) is list)


CHECKS = {"context": check_contexts, "record": check_records, "ciphertext-blob": check_blobs, "audit-log": check_audit_log}

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: check_vectors.py DIRECTORY")
    for name, check in CHECKS.items():
        try:
            with open(pathlib.Path(sys.argv[1]) / f"{name}.json", encoding="utf-8") as file:
                print(f"{name}: {check(json.load(file))}")
        except Refused as reason:
            sys.exit(f"{name}: {reason}")
