"""The same wrong calls to Bulla and to moto: arguments ENDPOINT, URL OF MOTO. Where the two differ on purpose, it says why."""

import sys
import uuid

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from kms_client import client

bulla = client()
moto = boto3.client("kms", endpoint_url=sys.argv[2], region_name="eu-west-1", aws_access_key_id="anything", aws_secret_access_key="anything",
                    config=Config(retries={"max_attempts": 1, "mode": "standard"}, parameter_validation=False))
ALIAS = f"alias/beside-{uuid.uuid4()}"
NOBODY = "00000000-0000-4000-8000-000000000000"


def prepare(kms):
    """A key, a disabled one, one pending deletion, an alias and a ciphertext; the names are the same on both sides."""
    made = {name: kms.create_key()["KeyMetadata"]["KeyId"] for name in ("key", "other", "disabled", "pending")}
    kms.disable_key(KeyId=made["disabled"])
    kms.schedule_key_deletion(KeyId=made["pending"], PendingWindowInDays=7)
    kms.create_alias(AliasName=ALIAS, TargetKeyId=made["key"])
    made["sealed"] = kms.encrypt(KeyId=made["key"], Plaintext=b"x", EncryptionContext={"a": "b"})["CiphertextBlob"]
    return made


# Calls on whose error code both agree.
SAME = [
    ("describe_key", lambda m: {"KeyId": NOBODY}),
    ("describe_key", lambda m: {"KeyId": "alias/none"}),
    ("describe_key", lambda m: {"KeyId": "not-a-key"}),
    ("enable_key", lambda m: {"KeyId": NOBODY}),
    ("disable_key", lambda m: {"KeyId": NOBODY}),
    ("schedule_key_deletion", lambda m: {"KeyId": NOBODY}),
    ("cancel_key_deletion", lambda m: {"KeyId": NOBODY}),
    ("update_key_description", lambda m: {"KeyId": NOBODY, "Description": "x"}),
    ("get_key_rotation_status", lambda m: {"KeyId": NOBODY}),
    ("enable_key_rotation", lambda m: {"KeyId": NOBODY}),
    ("disable_key_rotation", lambda m: {"KeyId": NOBODY}),
    ("list_key_rotations", lambda m: {"KeyId": NOBODY}),
    ("rotate_key_on_demand", lambda m: {"KeyId": NOBODY}),
    ("create_alias", lambda m: {"AliasName": ALIAS, "TargetKeyId": m["key"]}),
    ("create_alias", lambda m: {"AliasName": "alias/with space", "TargetKeyId": m["key"]}),
    ("create_alias", lambda m: {"AliasName": "no-prefix", "TargetKeyId": m["key"]}),
    ("create_alias", lambda m: {"AliasName": "alias/new", "TargetKeyId": NOBODY}),
    ("delete_alias", lambda m: {"AliasName": "alias/none"}),
    ("update_alias", lambda m: {"AliasName": ALIAS, "TargetKeyId": NOBODY}),
    ("encrypt", lambda m: {"KeyId": NOBODY, "Plaintext": b"x"}),
    ("encrypt", lambda m: {"KeyId": m["key"], "Plaintext": b""}),
    ("encrypt", lambda m: {"KeyId": m["key"], "Plaintext": b"x" * 4097}),
    ("decrypt", lambda m: {"CiphertextBlob": m["sealed"]}),
    ("decrypt", lambda m: {"CiphertextBlob": m["sealed"], "EncryptionContext": {"a": "c"}}),
    ("re_encrypt", lambda m: {"CiphertextBlob": m["sealed"], "SourceEncryptionContext": {"a": "b"}, "DestinationKeyId": NOBODY}),
    ("generate_data_key", lambda m: {"KeyId": NOBODY, "KeySpec": "AES_256"}),
    ("generate_data_key", lambda m: {"KeyId": m["key"]}),
    ("generate_data_key", lambda m: {"KeyId": m["key"], "KeySpec": "AES_256", "NumberOfBytes": 32}),
    ("generate_data_key", lambda m: {"KeyId": m["key"], "KeySpec": "AES_192"}),
    ("generate_data_key", lambda m: {"KeyId": m["key"], "NumberOfBytes": 1025}),
    ("generate_random", lambda m: {"NumberOfBytes": 1025}),
    ("sign", lambda m: {"KeyId": NOBODY, "Message": b"x", "SigningAlgorithm": "ECDSA_SHA_256"}),
    ("verify", lambda m: {"KeyId": NOBODY, "Message": b"x", "Signature": b"x", "SigningAlgorithm": "ECDSA_SHA_256"}),
    ("get_public_key", lambda m: {"KeyId": NOBODY}),
    ("generate_mac", lambda m: {"KeyId": NOBODY, "Message": b"x", "MacAlgorithm": "HMAC_SHA_256"}),
    ("tag_resource", lambda m: {"KeyId": NOBODY, "Tags": []}),
    ("list_resource_tags", lambda m: {"KeyId": NOBODY}),
]

# Calls on which they differ: Bulla's code, moto's, and why Bulla's is the right one.
DIFFERENT = [
    ("describe_key", lambda m: {"KeyId": f"arn:aws:kms:eu-west-1:123456789012:key/{NOBODY}"},
     "AccessDeniedException", "NotFoundException", "of another account nobody learns whether a key exists; moto holds 123456789012 to be its own"),
    ("encrypt", lambda m: {"KeyId": m["disabled"], "Plaintext": b"x"},
     "DisabledException", "ok", "moto encrypts under a disabled key"),
    ("encrypt", lambda m: {"KeyId": m["pending"], "Plaintext": b"x"},
     "KMSInvalidStateException", "ok", "moto encrypts under a key that is pending deletion"),
    ("decrypt", lambda m: {"CiphertextBlob": m["sealed"], "EncryptionContext": {"a": "b"}, "KeyId": m["other"]},
     "IncorrectKeyException", "AccessDeniedException", "AWS names the key that was given and not meant"),
    ("generate_random", lambda m: {"NumberOfBytes": 0},
     "ValidationException", "ok", "the model has at least 1"),
    ("cancel_key_deletion", lambda m: {"KeyId": m["key"]},
     "KMSInvalidStateException", "ok", "nothing is pending"),
    ("enable_key", lambda m: {"KeyId": m["pending"]},
     "KMSInvalidStateException", "ok", "the key is pending deletion"),
    ("rotate_key_on_demand", lambda m: {"KeyId": m["disabled"]},
     "DisabledException", "ok", "the key is disabled"),
    ("enable_key_rotation", lambda m: {"KeyId": m["disabled"]},
     "DisabledException", "ok", "the key is disabled"),
    ("schedule_key_deletion", lambda m: {"KeyId": m["pending"]},
     "KMSInvalidStateException", "ok", "it is pending already"),
    ("schedule_key_deletion", lambda m: {"KeyId": m["key"], "PendingWindowInDays": 6},
     "ValidationException", "ok", "AWS waits 7 days at least"),
]


# Answers on which both agree, member by member; a function of a client, and of what was prepared.
METADATA = ["KeyUsage", "KeySpec", "CustomerMasterKeySpec", "KeyState", "Enabled", "KeyManager", "Origin", "MultiRegion", "Description"]
ALGORITHMS = ["EncryptionAlgorithms", "SigningAlgorithms"]


def metadata(members, **arguments):
    # Moto leaves out what was not asked for, and writes lists that are empty: both are asked for everything, and empty is absent.
    arguments = {"KeyUsage": "ENCRYPT_DECRYPT", "MultiRegion": False, **arguments}
    return lambda kms, made: {name: kms.create_key(**arguments)["KeyMetadata"].get(name) or None for name in members}


def after(operation, **more):
    """The state of a key after an operation."""
    def answer(kms, made):
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        getattr(kms, operation)(KeyId=key, **more)
        return kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"]
    return answer


def tags(kms, made):
    key = kms.create_key(Tags=[{"TagKey": "a", "TagValue": "1"}])["KeyMetadata"]["KeyId"]
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": "b", "TagValue": "2"}, {"TagKey": "a", "TagValue": "3"}])
    kms.untag_resource(KeyId=key, TagKeys=["b"])
    return kms.list_resource_tags(KeyId=key)["Tags"]


def signed(kms, made):
    key = kms.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    arguments = {"KeyId": key, "Message": b"message", "SigningAlgorithm": "RSASSA_PKCS1_V1_5_SHA_256"}
    signature = kms.sign(**arguments)["Signature"]
    return len(signature), kms.verify(Signature=signature, **arguments)["SignatureValid"], sorted(
        # Moto leaves out the spec.
        name for name in kms.get_public_key(KeyId=key) if name in ("KeyId", "PublicKey", "KeyUsage", "SigningAlgorithms"))


def opened(kms, made):
    answer = kms.decrypt(CiphertextBlob=made["sealed"], EncryptionContext={"a": "b"})
    return answer["Plaintext"], answer["KeyId"].endswith(made["key"])


def rotation(kms, made):
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=100)
    on = kms.get_key_rotation_status(KeyId=key)
    kms.disable_key_rotation(KeyId=key)
    # Moto leaves out the period.
    return on["KeyRotationEnabled"], kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"]


SAME_ANSWERS = [
    metadata(METADATA + ALGORITHMS),
    metadata(METADATA, Description="with a description"),
    *[metadata(METADATA + ALGORITHMS, KeySpec=spec, KeyUsage="SIGN_VERIFY") for spec in ("RSA_2048", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521",
                                                                                       "ECC_SECG_P256K1")],
    metadata(METADATA + ALGORITHMS, KeySpec="RSA_3072", KeyUsage="ENCRYPT_DECRYPT"),
    metadata(METADATA, KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC"),
    after("disable_key"),
    after("schedule_key_deletion", PendingWindowInDays=7),
    tags,
    signed,
    opened,
    rotation,
    lambda kms, made: len(kms.generate_data_key(KeyId=made["key"], KeySpec="AES_256")["Plaintext"]),
    lambda kms, made: len(kms.generate_data_key(KeyId=made["key"], NumberOfBytes=77)["Plaintext"]),
    lambda kms, made: "Plaintext" in kms.generate_data_key_without_plaintext(KeyId=made["key"], KeySpec="AES_128"),
    lambda kms, made: [alias["AliasName"] for alias in kms.list_aliases(KeyId=made["key"])["Aliases"]] == [ALIAS],
    lambda kms, made: kms.describe_key(KeyId=ALIAS)["KeyMetadata"]["KeyId"] == made["key"],
]


def code_of(kms, made, operation, arguments):
    try:
        getattr(kms, operation)(**arguments(made))
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "ok"


made = {"bulla": prepare(bulla), "moto": prepare(moto)}
found = []
for operation, arguments, *expected in SAME + DIFFERENT:
    ours, theirs = code_of(bulla, made["bulla"], operation, arguments), code_of(moto, made["moto"], operation, arguments)
    if [ours, theirs] != (expected[:2] or [ours, ours]) or ours == "ok":
        found.append(f"{operation} {str(arguments(made['bulla']))[:100]}: {ours}, moto: {theirs}")
for number, answer in enumerate(SAME_ANSWERS):
    try:
        ours, theirs = answer(bulla, made["bulla"]), answer(moto, made["moto"])
    except Exception as error:  # noqa: BLE001
        found.append(f"answer {number} ({getattr(answer, '__name__', '')}): {error!r}")
        continue
    if ours != theirs:
        found.append(f"answer {number} ({getattr(answer, '__name__', '')}):\n   {ours}\n   {theirs} of moto")
assert not found, "\n".join(found)
print(f"boto3 beside moto: {len(SAME)} codes and {len(SAME_ANSWERS)} answers are the same, {len(DIFFERENT)} differ on purpose")
