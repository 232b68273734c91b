"""Imports key material with unmodified clients, wrapped by another library: what it seals opens there and here, it ends when it is to end,
comes back, and nothing else comes in its place. Argument: ENDPOINT of a dev server, whose clock this moves."""

import datetime
import json
import os
import urllib.request

from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import hashes, hmac, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from kms_client import ENDPOINT, client, refused

kms = client()
FOREVER = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}


def clock(**body):
    """Tells the server's time, after moving it."""
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(f"{ENDPOINT}/dev/clock", data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return datetime.datetime.fromisoformat(json.load(answer)["now"])


def advance(days):
    return clock(advanceSeconds=int(days * 86_400))


def prepared(key, algorithm, spec="RSA_2048"):
    """Parameters for an import, of the right shape."""
    parameters = kms.get_parameters_for_import(KeyId=key, WrappingAlgorithm=algorithm, WrappingKeySpec=spec)
    public = serialization.load_der_public_key(parameters["PublicKey"])
    assert isinstance(public, rsa.RSAPublicKey) and public.key_size == int(spec.removeprefix("RSA_"))
    lasts = parameters["ParametersValidTo"] - clock()
    assert datetime.timedelta(hours=23, minutes=59) < lasts <= datetime.timedelta(hours=24), lasts
    return parameters, public


def wrapped(public, algorithm, material):
    digest = hashes.SHA1() if algorithm.endswith("SHA_1") else hashes.SHA256()
    oaep = padding.OAEP(padding.MGF1(digest), digest, None)
    if algorithm.startswith("RSAES_OAEP"):
        return public.encrypt(material, oaep)
    wrapping = os.urandom(32)
    return public.encrypt(wrapping, oaep) + keywrap.aes_key_wrap_with_padding(wrapping, material)


def arguments(key, material, algorithm="RSAES_OAEP_SHA_256", spec="RSA_2048", **more):
    parameters, public = prepared(key, algorithm, spec)
    return {"KeyId": key, "ImportToken": parameters["ImportToken"], "EncryptedKeyMaterial": wrapped(public, algorithm, material), **more}


def import_material(*positional, **named):
    return kms.import_key_material(**arguments(*positional, **named))


def describe(key):
    return kms.describe_key(KeyId=key)["KeyMetadata"]


def state(key):
    return describe(key)["KeyState"]


# A symmetric key, in every way to wrap it.
for algorithm, spec in (("RSAES_OAEP_SHA_1", "RSA_2048"), ("RSAES_OAEP_SHA_256", "RSA_3072"),
                        ("RSA_AES_KEY_WRAP_SHA_1", "RSA_2048"), ("RSA_AES_KEY_WRAP_SHA_256", "RSA_4096")):
    key = kms.create_key(Origin="EXTERNAL", Description=algorithm)["KeyMetadata"]
    assert (key["KeyState"], key["Enabled"], key["Origin"]) == ("PendingImport", False, "EXTERNAL"), key
    key, arn = key["KeyId"], key["Arn"]
    refused("KMSInvalidStateException", f"{arn} is pending import.", kms.encrypt, KeyId=key, Plaintext=b"x")
    material = os.urandom(32)
    answer = import_material(key, material, algorithm, spec, **FOREVER)
    assert answer["KeyId"] == arn and answer["KeyMaterialId"] == describe(key)["CurrentKeyMaterialId"], answer
    blob = kms.encrypt(KeyId=key, Plaintext=b"under my own")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"under my own"
    # The same bytes in another key are another material: what one sealed, the other does not open.
    other = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
    assert import_material(other, material, **FOREVER)["KeyMaterialId"] != answer["KeyMaterialId"]
    refused("IncorrectKeyException", "The key ID in the request does not identify a CMK that can perform this operation.",
            kms.decrypt, CiphertextBlob=blob, KeyId=other)

# It ends when it is to end, and comes back with what it sealed.
key = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]
key, arn = key["KeyId"], key["Arn"]
end = clock() + datetime.timedelta(days=10)
first = import_material(key, b"1" * 32, ValidTo=end, KeyMaterialDescription="ten days")["KeyMaterialId"]
metadata = describe(key)
assert metadata["ExpirationModel"] == "KEY_MATERIAL_EXPIRES" and abs((metadata["ValidTo"] - end).total_seconds()) < 1, metadata
blob = kms.encrypt(KeyId=key, Plaintext=b"ten days", EncryptionContext={"a": "b"})["CiphertextBlob"]
advance(9.9)
assert state(key) == "Enabled"
advance(0.2)
metadata = describe(key)
assert metadata["KeyState"] == "PendingImport" and "ValidTo" not in metadata and "ExpirationModel" not in metadata, metadata
for call, more in ((kms.encrypt, {"KeyId": key, "Plaintext": b"x"}), (kms.generate_data_key, {"KeyId": key, "KeySpec": "AES_256"}),
                   (kms.decrypt, {"CiphertextBlob": blob, "EncryptionContext": {"a": "b"}})):
    refused("KMSInvalidStateException", f"{arn} is pending import.", call, **more)
rotations = kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
assert [(entry["KeyMaterialId"], entry["ImportState"]) for entry in rotations] == [(first, "PENDING_IMPORT")], rotations
assert import_material(key, b"1" * 32, "RSA_AES_KEY_WRAP_SHA_256", **FOREVER)["KeyMaterialId"] == first
assert kms.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"})["Plaintext"] == b"ten days"
advance(400)
assert state(key) == "Enabled"

# Wrong material, in every way.
unlike = arguments(key, b"2" * 32, **FOREVER)
refused("IncorrectKeyMaterialException", "", kms.import_key_material, **unlike)
refused("IncorrectKeyMaterialException", "", kms.import_key_material, **unlike, ImportType="EXISTING_KEY_MATERIAL")
for length in (16, 31, 33):
    refused("IncorrectKeyMaterialException", "", kms.import_key_material, **arguments(key, b"1" * length, **FOREVER))
good = arguments(key, b"1" * 32, **FOREVER)
broken = bytes([good["EncryptedKeyMaterial"][0] ^ 1]) + good["EncryptedKeyMaterial"][1:]
for material in (broken, good["EncryptedKeyMaterial"][:-1], good["EncryptedKeyMaterial"] + b"\0"):
    refused("InvalidCiphertextException", "", kms.import_key_material, **{**good, "EncryptedKeyMaterial": material})
under_another = arguments(key, b"1" * 32, **FOREVER)["EncryptedKeyMaterial"]
refused("InvalidCiphertextException", "", kms.import_key_material, **{**good, "EncryptedKeyMaterial": under_another})
elsewhere = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
foreign = arguments(elsewhere, b"1" * 32)["ImportToken"]
for token in (foreign, b"no token", good["ImportToken"][:-1]):
    refused("InvalidImportTokenException", "", kms.import_key_material, **{**good, "ImportToken": token})
kms.import_key_material(**good)
kms.import_key_material(**good)
advance(1.01)
refused("ExpiredImportTokenException", "", kms.import_key_material, **good)
made_here = kms.create_key()["KeyMetadata"]
refused("UnsupportedOperationException", f"{made_here['Arn']} origin is AWS_KMS which is not valid for this operation.",
        kms.get_parameters_for_import, KeyId=made_here["KeyId"], WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048")

# New material waits for its rotation, and what the first sealed opens afterwards.
second = import_material(key, b"2" * 32, "RSA_AES_KEY_WRAP_SHA_256", ImportType="NEW_KEY_MATERIAL", **FOREVER)["KeyMaterialId"]
assert describe(key)["CurrentKeyMaterialId"] == first
states = {entry["KeyMaterialId"]: entry["KeyMaterialState"]
          for entry in kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]}
assert states == {first: "CURRENT", second: "PENDING_ROTATION"}, states
third = arguments(key, b"3" * 32, ImportType="NEW_KEY_MATERIAL", **FOREVER)
try:
    kms.import_key_material(**third)
    raise AssertionError("a second material does not wait beside the first")
except ClientError as error:
    assert error.response["Error"]["Code"] == "KMSInvalidStateException", error
kms.rotate_key_on_demand(KeyId=key)
assert describe(key)["CurrentKeyMaterialId"] == second
assert kms.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"})["KeyMaterialId"] == first
assert kms.decrypt(CiphertextBlob=kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"])["KeyMaterialId"] == second
# Either of the two is missed.
kms.delete_imported_key_material(KeyId=key, KeyMaterialId=first)
assert state(key) == "PendingImport"
assert import_material(key, b"1" * 32, **FOREVER)["KeyMaterialId"] == first and state(key) == "Enabled"

# Keys of other kinds: what they do here, another library agrees with.
private = ec.generate_private_key(ec.SECP256R1())
pkcs8 = private.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
key = kms.create_key(Origin="EXTERNAL", KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
import_material(key, pkcs8, **FOREVER)
signature = kms.sign(KeyId=key, Message=b"m", SigningAlgorithm="ECDSA_SHA_256")["Signature"]
private.public_key().verify(signature, b"m", ec.ECDSA(hashes.SHA256()))
another = ec.generate_private_key(ec.SECP256R1())
pkcs8 = another.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
refused("IncorrectKeyMaterialException", "", kms.import_key_material, **arguments(key, pkcs8, **FOREVER))
private = rsa.generate_private_key(65537, 2048)
pkcs8 = private.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
key = kms.create_key(Origin="EXTERNAL", KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["KeyId"]
import_material(key, pkcs8, "RSA_AES_KEY_WRAP_SHA_256", "RSA_4096", **FOREVER)
sealed = private.public_key().encrypt(b"from outside", padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None))
assert kms.decrypt(KeyId=key, CiphertextBlob=sealed, EncryptionAlgorithm="RSAES_OAEP_SHA_256")["Plaintext"] == b"from outside"
key = kms.create_key(Origin="EXTERNAL", KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
import_material(key, b"h" * 32, **FOREVER)
mac = hmac.HMAC(b"h" * 32, hashes.SHA256())
mac.update(b"m")
assert kms.generate_mac(KeyId=key, Message=b"m", MacAlgorithm="HMAC_SHA_256")["Mac"] == mac.finalize()
print("imports: all answers are as AWS has them")
