"""Calls every operation of botocore's model of AWS KMS with an unmodified boto3, and holds what comes over the wire against the model: no
member that it does not have, each of its type and within its constraints, and every member somewhere. Arguments: ENDPOINT, and a file for
the operations and members that were seen."""

import base64
import datetime
import json
import re
import sys
import time

from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from kms_client import client

kms = client()
model = kms.meta.service_model
METHODS = {operation: name for name, operation in kms.meta.method_to_api_mapping.items()}
found, seen, said_dry = [], {}, set()
raw = {}


def expect(condition, message):
    if not condition:
        found.append(message)
    return condition


def keep_raw(response_dict, **_):
    raw["body"] = response_dict["body"]


kms.meta.events.register("before-parse.kms", keep_raw)


def check(path, shape, value):
    """Each member that came is one of the model's, of the model's type and within its constraints."""
    if shape is None:
        return expect(value is None, f"{path}: an output where the model has none: {value}")
    kinds = {"structure": dict, "map": dict, "list": list, "string": str, "blob": str, "integer": int, "long": int, "boolean": bool,
             "timestamp": (int, float)}
    if not expect(isinstance(value, kinds[shape.type_name]), f"{path}: {value!r} where the model has {shape.type_name}"):
        return
    limits = shape.metadata
    if shape.type_name == "structure":
        for name, member in value.items():
            if expect(name in shape.members, f"{path}.{name}: no member of the model"):
                check(f"{path}.{name}", shape.members[name], member)
                seen.setdefault(shape.name, set()).add(name)
    elif shape.type_name == "list":
        for member in value:
            check(f"{path}[]", shape.member, member)
    elif shape.type_name == "timestamp":
        # Seconds with milliseconds.
        expect(abs(value * 1000 - round(value * 1000)) < 1e-3, f"{path}: {value!r} is finer than a millisecond")
    elif shape.type_name in ("string", "blob"):
        text = value if shape.type_name == "string" else base64.b64decode(value, validate=True)
        expect(limits.get("min", 0) <= len(text) <= limits.get("max", len(text)), f"{path}: {value[:80]!r} is not within {limits}")
        if shape.type_name == "string" and limits.get("pattern"):
            pattern = limits["pattern"].replace("9-_.", "9_.-")
            expect(re.fullmatch(pattern, value) is not None, f"{path}: {value[:80]!r} is not of {pattern}")
        if shape.type_name == "string" and shape.enum:
            # AWS answers the same in both members, also for specs that are newer than the old one's set.
            known = model.shape_for("KeySpec").enum if shape.name == "CustomerMasterKeySpec" else shape.enum
            expect(value in known, f"{path}: {value!r} is none of {known}")
    elif shape.type_name in ("integer", "long"):
        expect(limits.get("min", value) <= value <= limits.get("max", value), f"{path}: {value} is not within {limits}")


def error_of(operation, **arguments):
    try:
        getattr(kms, METHODS[operation])(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    return "ok", ""


def call(operation, dry_run=True, **arguments):
    """Calls; what would come is asked for first where AWS can (DryRun)."""
    of = model.operation_model(operation)
    if dry_run and "DryRun" in of.input_shape.members:
        code, message = error_of(operation, DryRun=True, **arguments)
        expect((code, message) == ("DryRunOperationException", "The request would have succeeded, but the DryRun option is set."),
               f"{operation} DryRun: {code} {message}")
        said_dry.add(operation)
    try:
        answer = getattr(kms, METHODS[operation])(**arguments)
    except ClientError as error:
        raise AssertionError(f"{operation} {str(arguments)[:300]}: {error}") from error
    body = raw["body"]
    check(operation, of.output_shape, json.loads(body) if body else None)
    seen.setdefault(operation, set())
    answer.pop("ResponseMetadata")
    return answer


def describe(key):
    return call("DescribeKey", KeyId=key)["KeyMetadata"]


def eventually(condition, what):
    """Some of AWS's states end by themselves."""
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


# Symmetric keys.
key = call("CreateKey", Description="first", Tags=[{"TagKey": "team", "TagValue": "x"}])["KeyMetadata"]["KeyId"]
other = call("CreateKey")["KeyMetadata"]["KeyId"]
describe(key)
call("UpdateKeyDescription", KeyId=key, Description="renamed")
for name in ("one", "two"):
    call("CreateAlias", AliasName=f"alias/every-{name}", TargetKeyId=key)
call("UpdateAlias", AliasName="alias/every-two", TargetKeyId=other)
page = call("ListAliases", Limit=1)
call("ListAliases", Marker=page["NextMarker"])
call("DeleteAlias", AliasName="alias/every-two")
call("ListAliases", KeyId=key)
page = call("ListKeys", Limit=1)
assert page["Truncated"] is True
call("ListKeys", Marker=page["NextMarker"])
context = {"purpose": "test"}
sealed = call("Encrypt", KeyId=key, Plaintext=b"secret", EncryptionContext=context)["CiphertextBlob"]
assert call("Decrypt", CiphertextBlob=sealed, EncryptionContext=context)["Plaintext"] == b"secret"
moved = call("ReEncrypt", CiphertextBlob=sealed, SourceEncryptionContext=context, DestinationKeyId=other)["CiphertextBlob"]
assert call("Decrypt", CiphertextBlob=moved)["Plaintext"] == b"secret"
data_key = call("GenerateDataKey", KeyId=key, KeySpec="AES_256")
assert call("Decrypt", CiphertextBlob=data_key["CiphertextBlob"])["Plaintext"] == data_key["Plaintext"]
call("GenerateDataKeyWithoutPlaintext", KeyId=key, NumberOfBytes=64)
assert len(call("GenerateRandom", NumberOfBytes=1024)["Plaintext"]) == 1024
call("EnableKeyRotation", KeyId=key, RotationPeriodInDays=90)
call("RotateKeyOnDemand", KeyId=key)
call("GetKeyRotationStatus", KeyId=key)
assert len(call("ListKeyRotations", KeyId=key)["Rotations"]) == 1
call("RotateKeyOnDemand", KeyId=key)
page = call("ListKeyRotations", KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL", Limit=1)
call("ListKeyRotations", KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL", Marker=page["NextMarker"])
call("DisableKeyRotation", KeyId=key)
assert call("Decrypt", CiphertextBlob=sealed, EncryptionContext=context)["Plaintext"] == b"secret"
call("DisableKey", KeyId=key)
call("EnableKey", KeyId=key)
call("ScheduleKeyDeletion", KeyId=other, PendingWindowInDays=7)
describe(other)
call("CancelKeyDeletion", KeyId=other)
call("EnableKey", KeyId=other)
call("GetKeyLastUsage", KeyId=key)

# Tags.
call("TagResource", KeyId=key, Tags=[{"TagKey": "a", "TagValue": "1"}, {"TagKey": "b", "TagValue": ""}])
page = call("ListResourceTags", KeyId=key, Limit=1)
assert page["Truncated"] is True
rest = call("ListResourceTags", KeyId=key, Marker=page["NextMarker"])
assert {tag["TagKey"] for tag in page["Tags"] + rest["Tags"]} == {"team", "a", "b"}
call("UntagResource", KeyId=key, TagKeys=["a", "b"])

# Key policies.
policy = call("GetKeyPolicy", KeyId=key, PolicyName="default")["Policy"]
call("PutKeyPolicy", KeyId=key, PolicyName="default", Policy=policy)
call("ListKeyPolicies", KeyId=key)

# Grants.
me = "arn:aws:iam::000000000000:user/admin"
grant = call("CreateGrant", KeyId=key, GranteePrincipal="arn:aws:iam::000000000000:user/app", RetiringPrincipal=me, Name="for-app",
             Operations=["Encrypt", "Decrypt", "CreateGrant"], Constraints={"EncryptionContextSubset": context})
call("CreateGrant", KeyId=key, GranteePrincipal="arn:aws:iam::000000000000:user/app", RetiringPrincipal=me, Operations=["Decrypt"],
     Constraints={"EncryptionContextEquals": context})
page = call("ListGrants", KeyId=key, Limit=1)
assert page["Truncated"] is True
call("ListGrants", KeyId=key, Marker=page["NextMarker"])
page = call("ListRetirableGrants", RetiringPrincipal=me, Limit=1)
call("ListRetirableGrants", RetiringPrincipal=me, Marker=page["NextMarker"])
call("RetireGrant", GrantToken=grant["GrantToken"])
call("RevokeGrant", KeyId=key, GrantId=page["Grants"][0]["GrantId"] if page["Grants"][0]["GrantId"] != grant["GrantId"]
     else call("ListGrants", KeyId=key)["Grants"][0]["GrantId"])

# Data key pairs.
for spec in ("RSA_2048", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1", "ECC_NIST_EDWARDS25519", "ML_KEM_512",
             "ML_KEM_768", "ML_KEM_1024"):
    pair = call("GenerateDataKeyPair", KeyId=key, KeyPairSpec=spec, EncryptionContext=context, dry_run=spec == "ECC_NIST_P256")
    private = call("Decrypt", CiphertextBlob=pair["PrivateKeyCiphertextBlob"], EncryptionContext=context)["Plaintext"]
    assert private == pair["PrivateKeyPlaintext"], spec
    if not spec.startswith("ML_"):
        loaded = serialization.load_der_private_key(private, None)
        public = loaded.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        assert public == pair["PublicKey"], spec
call("GenerateDataKeyPairWithoutPlaintext", KeyId=key, KeyPairSpec="ECC_NIST_P256")

# Signing keys, with each of their algorithms.
for spec in ("RSA_2048", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1", "ECC_NIST_EDWARDS25519", "ML_DSA_44",
             "ML_DSA_65", "ML_DSA_87"):
    made = call("CreateKey", KeySpec=spec, KeyUsage="SIGN_VERIFY")["KeyMetadata"]
    public = call("GetPublicKey", KeyId=made["KeyId"])
    assert public["SigningAlgorithms"] == made["SigningAlgorithms"], spec
    for algorithm in made["SigningAlgorithms"]:
        prehashed = algorithm == "ED25519_PH_SHA_512"
        arguments = {"KeyId": made["KeyId"], "Message": b"m" * 64 if prehashed else b"message", "SigningAlgorithm": algorithm,
                     "MessageType": "DIGEST" if prehashed else "RAW"}
        signature = call("Sign", **arguments)["Signature"]
        assert call("Verify", Signature=signature, **arguments)["SignatureValid"] is True
        code, message = error_of("Verify", Signature=signature, **{**arguments, "Message": b"n" * 64})
        expect((code, message) == ("KMSInvalidSignatureException", ""), f"Verify {algorithm}: {code} {message}")

# RSA encryption.
made = call("CreateKey", KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]
public = serialization.load_der_public_key(call("GetPublicKey", KeyId=made["KeyId"])["PublicKey"])
for algorithm, digest, most in (("RSAES_OAEP_SHA_1", hashes.SHA1, 214), ("RSAES_OAEP_SHA_256", hashes.SHA256, 190)):
    arguments = {"KeyId": made["KeyId"], "EncryptionAlgorithm": algorithm}
    blob = call("Encrypt", Plaintext=b"x" * most, **arguments)["CiphertextBlob"]
    assert len(blob) == 256 and call("Decrypt", CiphertextBlob=blob, **arguments)["Plaintext"] == b"x" * most
    blob = public.encrypt(b"made outside", padding.OAEP(padding.MGF1(digest()), digest(), None))
    assert call("Decrypt", CiphertextBlob=blob, **arguments)["Plaintext"] == b"made outside"

# HMAC keys.
for size in (224, 256, 384, 512):
    made = call("CreateKey", KeySpec=f"HMAC_{size}", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]
    arguments = {"KeyId": made["KeyId"], "Message": b"message", "MacAlgorithm": made["MacAlgorithms"][0]}
    mac = call("GenerateMac", **arguments)["Mac"]
    assert len(mac) == size // 8 and call("VerifyMac", Mac=mac, **arguments)["MacValid"] is True
    code, message = error_of("VerifyMac", Mac=mac[:-1] + bytes([mac[-1] ^ 1]), **arguments)
    expect((code, message) == ("KMSInvalidMacException", ""), f"VerifyMac: {code} {message}")

# Key agreement and encapsulation.
for spec, curve in (("ECC_NIST_P256", ec.SECP256R1()), ("ECC_NIST_P384", ec.SECP384R1()), ("ECC_NIST_P521", ec.SECP521R1())):
    made = call("CreateKey", KeySpec=spec, KeyUsage="KEY_AGREEMENT")["KeyMetadata"]
    mine = ec.generate_private_key(curve)
    mine_public = mine.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    theirs = serialization.load_der_public_key(call("GetPublicKey", KeyId=made["KeyId"])["PublicKey"])
    shared = call("DeriveSharedSecret", KeyId=made["KeyId"], KeyAgreementAlgorithm="ECDH", PublicKey=mine_public)["SharedSecret"]
    assert shared == mine.exchange(ec.ECDH(), theirs)
for spec in ("ML_KEM_512", "ML_KEM_768", "ML_KEM_1024"):
    made = call("CreateKey", KeySpec=spec, KeyUsage="ENCAPSULATE_DECAPSULATE")["KeyMetadata"]
    call("GetPublicKey", KeyId=made["KeyId"])
    secret = call("Encapsulate", KeyId=made["KeyId"], EncapsulationAlgorithm="ML_KEM")
    opened = call("Decapsulate", KeyId=made["KeyId"], EncapsulationAlgorithm="ML_KEM",
                  SharedSecretCiphertextBlob=secret["SharedSecretCiphertextBlob"])
    assert opened["SharedSecret"] == secret["SharedSecret"] and len(secret["SharedSecret"]) == 32


def wrapped(parameters, algorithm, material):
    """Key material as ImportKeyMaterial takes it."""
    public = serialization.load_der_public_key(parameters["PublicKey"])
    digest = hashes.SHA1() if algorithm.endswith("SHA_1") else hashes.SHA256()
    oaep = padding.OAEP(padding.MGF1(type(digest)()), digest, None)
    if algorithm.startswith("RSAES_OAEP"):
        return public.encrypt(material, oaep)
    wrapping = b"w" * 32
    return public.encrypt(wrapping, oaep) + keywrap.aes_key_wrap_with_padding(wrapping, material)


def import_material(key, material, algorithm="RSAES_OAEP_SHA_256", spec="RSA_2048", **more):
    parameters = call("GetParametersForImport", KeyId=key, WrappingAlgorithm=algorithm, WrappingKeySpec=spec)
    return call("ImportKeyMaterial", KeyId=key, ImportToken=parameters["ImportToken"],
                EncryptedKeyMaterial=wrapped(parameters, algorithm, material), **more)


# Imported key material.
made = call("CreateKey", Origin="EXTERNAL")["KeyMetadata"]
assert made["KeyState"] == "PendingImport"
imported, forever = made["KeyId"], {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}
import_material(imported, b"1" * 32, KeyMaterialDescription="first", ValidTo=datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=30))
assert describe(imported)["ExpirationModel"] == "KEY_MATERIAL_EXPIRES"
blob = call("Encrypt", KeyId=imported, Plaintext=b"under the first")["CiphertextBlob"]
import_material(imported, b"2" * 32, "RSA_AES_KEY_WRAP_SHA_256", "RSA_3072", ImportType="NEW_KEY_MATERIAL", **forever)
call("ListKeyRotations", KeyId=imported, IncludeKeyMaterial="ALL_KEY_MATERIAL")
call("RotateKeyOnDemand", KeyId=imported)
call("ListKeyRotations", KeyId=imported, IncludeKeyMaterial="ALL_KEY_MATERIAL")
call("GetKeyRotationStatus", KeyId=imported)
assert call("Decrypt", CiphertextBlob=blob)["Plaintext"] == b"under the first"
call("DeleteImportedKeyMaterial", KeyId=imported)
assert describe(imported)["KeyState"] == "PendingImport"
call("ListKeyRotations", KeyId=imported, IncludeKeyMaterial="ALL_KEY_MATERIAL")
for spec, usage, material in (
    ("HMAC_256", "GENERATE_VERIFY_MAC", b"h" * 32),
    ("ECC_NIST_P256", "SIGN_VERIFY", ec.generate_private_key(ec.SECP256R1())),
    ("RSA_2048", "SIGN_VERIFY", rsa.generate_private_key(65537, 2048)),
):
    if not isinstance(material, bytes):
        material = material.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    made = call("CreateKey", Origin="EXTERNAL", KeySpec=spec, KeyUsage=usage)["KeyMetadata"]
    import_material(made["KeyId"], material, "RSA_AES_KEY_WRAP_SHA_1", "RSA_4096", **forever)
    assert describe(made["KeyId"])["KeyState"] == "Enabled"

# Multi-Region keys.
primary = call("CreateKey", MultiRegion=True, Description="everywhere", Tags=[{"TagKey": "a", "TagValue": "b"}])["KeyMetadata"]["KeyId"]
assert primary.startswith("mrk-")
blob = call("Encrypt", KeyId=primary, Plaintext=b"everywhere")["CiphertextBlob"]
call("ReplicateKey", KeyId=primary, ReplicaRegion="us-east-1", Description="there", Tags=[{"TagKey": "c", "TagValue": "d"}])
there = client(region="us-east-1")
eventually(lambda: there.describe_key(KeyId=primary)["KeyMetadata"]["KeyState"] == "Enabled", "the replica is enabled")
assert there.decrypt(CiphertextBlob=blob)["Plaintext"] == b"everywhere"
describe(primary)
call("UpdatePrimaryRegion", KeyId=primary, PrimaryRegion="us-east-1")
eventually(lambda: describe(primary)["KeyState"] == "Enabled", "the update ends")
assert describe(primary)["MultiRegionConfiguration"]["PrimaryKey"]["Region"] == "us-east-1"
# The primary waits for its replicas.
there.update_primary_region(KeyId=primary, PrimaryRegion="eu-west-1")
eventually(lambda: describe(primary)["KeyState"] == "Enabled", "the update ends")
assert call("ScheduleKeyDeletion", KeyId=primary, PendingWindowInDays=7)["KeyState"] == "PendingReplicaDeletion"
assert describe(primary)["PendingDeletionWindowInDays"] == 7

# Custom key stores: as in an account that has none.
assert call("DescribeCustomKeyStores")["CustomKeyStores"] == []
for operation in ("ConnectCustomKeyStore", "DeleteCustomKeyStore", "DisconnectCustomKeyStore", "UpdateCustomKeyStore"):
    code, message = error_of(operation, CustomKeyStoreId="cks-1234567890abcdef0")
    expect(code == "CustomKeyStoreNotFoundException", f"{operation}: {code} {message}")
    seen.setdefault(operation, set())
code, message = error_of("CreateCustomKeyStore", CustomKeyStoreName="hsm")
expect(code not in ("ok", "KMSInternalException") and message, f"CreateCustomKeyStore: {code} {message}")
seen.setdefault("CreateCustomKeyStore", set())

# What was built was called, and what the model answers came at least once.
for operation in sorted(set(model.operation_names) - set(seen)):
    expect(False, f"{operation} is not called here")


def members_of(shape, into):
    if shape is None:
        return
    if shape.type_name == "structure" and shape.name not in into:
        into[shape.name] = set(shape.members)
        for member in shape.members.values():
            members_of(member, into)
    elif shape.type_name == "list":
        members_of(shape.member, into)


NEVER = {
    "*.CiphertextForRecipient": "Recipient is refused",
    "KeyMetadata.CustomKeyStoreId": "there are no custom key stores",
    "KeyMetadata.CloudHsmClusterId": "there are no custom key stores",
    "KeyMetadata.XksKeyConfiguration": "there are no external key stores",
    "XksKeyConfigurationType.*": "there are no external key stores",
    "XksProxyConfigurationType.*": "there are no external key stores",
    "CustomKeyStoresListEntry.*": "there are no custom key stores",
    "CreateCustomKeyStoreResponse.*": "there are no custom key stores",
    "DescribeCustomKeyStoresResponse.NextMarker": "there are no custom key stores",
    "ListKeyPoliciesResponse.NextMarker": "a key has one policy",
    "GetKeyRotationStatusResponse.OnDemandRotationStartDate": "a rotation on demand is done when it is answered",
    "GrantConstraints.SourceArn": "it serves AWS's own services, which do not call here",
    "GrantListEntry.GranteeServicePrincipal": "AWS's own services do not call here",
    "GrantListEntry.RetiringServicePrincipal": "AWS's own services do not call here",
}
expected = {}
for operation in model.operation_names:
    members_of(model.operation_model(operation).output_shape, expected)
for shape, members in sorted(expected.items()):
    for member in sorted(members - seen.get(shape, set())):
        known = {f"*.{member}", f"{shape}.{member}", f"{shape}.*"} & set(NEVER)
        expect(known, f"{shape}.{member} never came")
    for member in sorted(seen.get(shape, set())):
        expect(not {f"*.{member}", f"{shape}.{member}"} & set(NEVER), f"{shape}.{member} came, and is said never to come")

assert not found, f"{len(found)} differences from AWS's model:\n" + "\n".join(found)
if len(sys.argv) > 2:
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        json.dump({"dry_run": sorted(said_dry), "never": NEVER}, file)
print(f"boto3: {len(model.operation_names)} operations answer as AWS's model has it")
