"""Holds `bulla serve --dev` against botocore's own model of AWS KMS: every constraint, every operation, every output member."""

import base64
import datetime
import re

from botocore.exceptions import ClientError
from kms_client import client

kms = client()
model = kms.meta.service_model
BUILT = """CancelKeyDeletion CreateAlias CreateKey Decrypt DeleteAlias DescribeKey DisableKey DisableKeyRotation EnableKey EnableKeyRotation
Encrypt GenerateDataKey GenerateDataKeyWithoutPlaintext GenerateRandom GetKeyRotationStatus ListAliases ListKeyRotations ListKeys ReEncrypt
RotateKeyOnDemand ScheduleKeyDeletion UpdateAlias UpdateKeyDescription""".split()
BLOB = base64.b64encode(b"x").decode()
found = []


def python_name(operation):
    return next(name for name, of in kms.meta.method_to_api_mapping.items() if of == operation)


def call(operation, arguments):
    """The error of a call, or None and its output."""
    try:
        answer = getattr(kms, python_name(operation))(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    answer.pop("ResponseMetadata")
    check_output(operation, model.operation_model(operation).output_shape, answer)
    return None, answer


def check_output(path, shape, value):
    """Each member that is answered is one of the model's, of the model's type and within its constraints."""
    if shape is None:
        return expect(not value, f"{path}: an output where the model has none: {value}")
    kinds = {"structure": dict, "map": dict, "list": list, "string": str, "integer": int, "long": int, "boolean": bool, "blob": bytes,
             "timestamp": datetime.datetime}
    if not expect(isinstance(value, kinds[shape.type_name]), f"{path}: {type(value)} where the model has {shape.type_name}"):
        return
    if shape.type_name == "structure":
        for name, member in value.items():
            check_output(f"{path}.{name}", shape.members[name], member)
    elif shape.type_name == "list":
        for member in value:
            check_output(f"{path}[]", shape.member, member)
    else:
        expect(not constraints(shape, value), f"{path}: {value!r} is not within the model's constraints")


def expect(condition, message):
    if not condition:
        found.append(message)
    return condition


def constraints(shape, value):
    """What AWS says of the constraints that a value breaks, as a set."""
    said = set()
    bounds = shape.metadata
    words = "value" if shape.type_name in ("integer", "long") else "length"
    if shape.type_name in ("string", "blob", "list", "integer", "long"):
        size = value if words == "value" else len(value)
        if size < bounds.get("min", size):
            said.add(f"Member must have {words} greater than or equal to {bounds['min']}")
        if size > bounds.get("max", size):
            said.add(f"Member must have {words} less than or equal to {bounds['max']}")
    if shape.type_name == "string":
        pattern = bounds.get("pattern")
        if pattern and not re.fullmatch(pattern.replace("9-_.", "9_.-"), value):
            said.add(f"Member must satisfy regular expression pattern: {pattern}")
        if shape.enum and value not in shape.enum:
            said.add("Member must satisfy enum value set: [" + ", ".join(sorted(shape.enum)) + "]")
    return said


def parts_of(message):
    """The parts of a validation message: value, member and constraint of each; None if it is not of AWS's form."""
    head = re.match(r"(1 validation error|(\d+) validation errors) detected: (?=Value)", message)
    if not head:
        return None
    parts = re.split(r"; (?=Value)", message[head.end():])
    if len(parts) != int(head[2] or 1):
        return None
    whole = [re.fullmatch(r"Value( null| '(.*)')? at '([A-Za-z0-9.]+)' failed to satisfy constraint: (.+)", part, re.DOTALL) for part in parts]
    return None if None in whole else [(part[1] or "", part[3], normal(part[4])) for part in whole]


def normal(constraint):
    """A constraint with its enum values sorted: their order says nothing."""
    return re.sub(r"(enum value set: \[)([A-Z0-9_, ]+)\]", lambda m: m[1] + ", ".join(sorted(m[2].split(", "))) + "]", constraint)


def wire_name(name):
    return name[0].lower() + name[1:]


def check_refusal(operation, arguments, member, shown, words):
    """Fails unless the call is refused for this member, with this value shown, for exactly these reasons."""
    code, message = call(operation, arguments)
    where = f"{operation}.{member} {str(shown)[:40]}"
    if not expect(code == "ValidationException", f"{where}: {code} {str(message)[:200]}"):
        return
    parts = parts_of(message)
    if expect(parts is not None, f"{where}: not AWS's form: {message[:200]}"):
        said = {constraint for _, at, constraint in parts if at == member}
        expect(said == words, f"{where}: {said} where the model has {words}")
        expect({at for _, at, _ in parts} == {member}, f"{where}: says something of other members: {message[:200]}")
        expect({value for value, _, _ in parts} == {shown}, f"{where}: the value is shown otherwise: {[value[:60] for value, _, _ in parts]}")


def wrong_and_right(shape):
    """Values that break one of a shape's constraints or more, and values on the boundary."""
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    kind = shape.type_name
    if kind in ("integer", "long"):
        return [low - 1, high + 1, -(2**31)], [low, high]
    make = {"string": lambda size: "a" * size, "blob": lambda size: b"a" * size}.get(kind)
    if make is None:
        return [], []
    if shape.enum if kind == "string" else False:
        return ["", "nonsense", shape.enum[0].lower()], list(shape.enum)
    wrong = [make(high + 1)] if high else []
    if low:
        wrong.append(make(0))
    if shape.metadata.get("pattern"):
        wrong += ["a\u0100", "\u20ac" * 2]
    right = [make(size) for size in {max(low or 1, 1), high or 1}]
    if low == 0:
        right.append(make(0))
    if kind == "string" and "pattern" not in shape.metadata and high:
        # Java counts UTF-16 units.
        right.append("\U0001f511" * (high // 2))
    return wrong, right


def with_member(arguments, path, value):
    """A copy of the arguments with the member at the path replaced, or left out where the value is None."""
    arguments = dict(arguments)
    if len(path) == 1 and value is None:
        arguments.pop(path[0], None)
    elif len(path) == 1:
        arguments[path[0]] = value
    elif path[1] == "[]":
        arguments[path[0]] = [with_member(arguments[path[0]][0], path[2:], value)]
    else:
        arguments[path[0]] = with_member(arguments[path[0]], path[1:], value)
    return arguments


def name_of(path):
    return ".".join("1.member" if part == "[]" else wire_name(part) for part in path)


def check_member(operation, arguments, path, shape, required):
    name = name_of(path)
    if required:
        check_refusal(operation, with_member(arguments, path, None), name, " null", {"Member must not be null"})
    if shape.type_name == "structure":
        for member, inner in shape.members.items():
            check_member(operation, arguments, [*path, member], inner, member in shape.required_members)
    elif shape.type_name == "list":
        check_list(operation, arguments, path, shape)
    wrong, right = wrong_and_right(shape)
    for value in wrong:
        shown = "" if shape.type_name == "blob" else f" '{value}'"
        check_refusal(operation, with_member(arguments, path, value), name, shown, {normal(text) for text in constraints(shape, value)})
    for value in right:
        if (operation, name, value) == ("ListAliases", "limit", 1000):
            # The model shares one type between all lists; AWS's page on ListAliases says 100.
            value = 100
        code, message = call(operation, with_member(arguments, path, value))
        about = parts_of(message) if code == "ValidationException" else None
        expect(about is None, f"{operation}.{name}: the boundary {str(value)[:40]!r} is refused: {str(message)[:200]}")


def check_list(operation, arguments, path, shape):
    name, inner = name_of(path), shape.member
    if inner.type_name == "structure":
        for member, of in inner.members.items():
            check_member(operation, arguments, [*path, "[]", member], of, member in inner.required_members)
        return
    good = inner.enum[0] if inner.enum else "a" * inner.metadata["min"]
    # The values of grant tokens are tokens: Bulla shows none, as of blobs.
    secret = inner.name == "GrantTokenType"
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    for count in ([low - 1] if low else []) + ([high + 1] if high else []):
        value = [good] * count
        shown = "" if secret else f" '[{', '.join(value)}]'"
        check_refusal(operation, with_member(arguments, path, value), name, shown, constraints(shape, value))
    for element in wrong_and_right(inner)[0]:
        said = constraints(inner, element)
        if not inner.enum:
            bounds = inner.metadata
            said = {f"Member must have length less than or equal to {bounds['max']}, Member must have length greater than or equal to {bounds['min']}"}
        words = {normal(f"Member must satisfy constraint: [{text}]") for text in said}
        check_refusal(operation, with_member(arguments, path, [element]), name, "" if secret else f" '[{element}]'", words)


key = kms.create_key()["KeyMetadata"]["KeyId"]
for name in ("limits-update", "limits-delete"):
    kms.create_alias(AliasName=f"alias/{name}", TargetKeyId=key)
sealed = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
RECIPIENT = {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": b"x"}


def arguments_of(operation):
    """A call that would succeed, with every structure there that has members to try."""
    special = {
        "CreateKey": {"Tags": [{"TagKey": "team", "TagValue": "x"}]},
        "CreateAlias": {"AliasName": "alias/limits-new", "TargetKeyId": key},
        "UpdateAlias": {"AliasName": "alias/limits-update", "TargetKeyId": key},
        "DeleteAlias": {"AliasName": "alias/limits-delete"},
        "UpdateKeyDescription": {"KeyId": key, "Description": "x"},
        "Encrypt": {"KeyId": key, "Plaintext": b"x"},
        "Decrypt": {"CiphertextBlob": sealed, "Recipient": RECIPIENT},
        "ReEncrypt": {"CiphertextBlob": sealed, "DestinationKeyId": key},
        "GenerateDataKey": {"KeyId": key, "KeySpec": "AES_256", "Recipient": RECIPIENT},
        "GenerateDataKeyWithoutPlaintext": {"KeyId": key, "KeySpec": "AES_256"},
        "GenerateRandom": {"NumberOfBytes": 16, "Recipient": RECIPIENT},
        "ListKeys": {},
        "ListAliases": {},
    }
    return special.get(operation, {"KeyId": key})


def without_recipient(arguments):
    return {name: value for name, value in arguments.items() if name != "Recipient"}


# Every output first, while the key is enabled and has rotations and aliases.
for operation in ["RotateKeyOnDemand", "EnableKeyRotation"] + BUILT:
    code, message = call(operation, without_recipient(arguments_of(operation)))
    expect(code is None or (operation, code) == ("CancelKeyDeletion", "KMSInvalidStateException"), f"{operation}: {code} {message}")
    if operation in ("ScheduleKeyDeletion", "DisableKey"):
        kms.cancel_key_deletion(KeyId=key) if operation == "ScheduleKeyDeletion" else None
        kms.enable_key(KeyId=key)
expect(len(kms.list_key_rotations(KeyId=key)["Rotations"]) == 2, "two rotations are listed")

# Then every constraint.
for operation in BUILT:
    arguments = arguments_of(operation)
    shape = model.operation_model(operation).input_shape
    for member, of in shape.members.items():
        check_member(operation, arguments, [member], of, member in shape.required_members)
        kms_state = kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"]
        if kms_state == "PendingDeletion":
            kms.cancel_key_deletion(KeyId=key)
        if kms_state != "Enabled":
            kms.enable_key(KeyId=key)

# What AWS leaves out of its model and refuses all the same.
for operation, member in (("Decrypt", "CiphertextBlob"), ("ReEncrypt", "CiphertextBlob"), ("GenerateRandom", "NumberOfBytes")):
    arguments = with_member(without_recipient(arguments_of(operation)), [member], None)
    check_refusal(operation, arguments, wire_name(member), " null", {"Member must not be null"})

# All that is wrong is said at once.
code, message = call("Encrypt", {"EncryptionAlgorithm": "x"})
expect(code == "ValidationException" and len(parts_of(message) or []) == 3, f"three mistakes: {message}")

# Operations that are not built are known by their names.
operations = list(model.operation_names)
expect(len(operations) == 56, f"{len(operations)} operations in this botocore's model")
for operation in sorted(set(operations) - set(BUILT)):
    code, message = call(operation, {})
    expect(code == "UnsupportedOperationException", f"{operation}: {code} {message}")

assert not found, f"{len(found)} differences from AWS's model:\n" + "\n".join(found)
print("boto3 limits: as in AWS's model")
