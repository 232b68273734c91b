"""Drives every operation of the trunk with an unmodified boto3 against `bulla serve --dev`."""

import datetime
import uuid

from kms_client import ANY, client, refused

kms = client()
now = datetime.datetime.now(datetime.timezone.utc)

# Keys.
made = kms.create_key(Description="first", Tags=[{"TagKey": "team", "TagValue": "payments"}])["KeyMetadata"]
key, arn = made["KeyId"], made["Arn"]
assert arn == f"arn:aws:kms:eu-west-1:000000000000:key/{key}", arn
assert made["KeyState"] == "Enabled" and made["Enabled"] is True
assert made["KeyManager"] == "CUSTOMER" and made["Origin"] == "AWS_KMS" and made["MultiRegion"] is False
assert made["KeySpec"] == made["CustomerMasterKeySpec"] == "SYMMETRIC_DEFAULT"
assert made["EncryptionAlgorithms"] == ["SYMMETRIC_DEFAULT"] and made["KeyUsage"] == "ENCRYPT_DECRYPT"
assert abs((made["CreationDate"] - now).total_seconds()) < 60
assert kms.describe_key(KeyId=arn)["KeyMetadata"]["Description"] == "first"
kms.update_key_description(KeyId=key, Description="renamed")
assert kms.describe_key(KeyId=key)["KeyMetadata"]["Description"] == "renamed"

other = kms.create_key()["KeyMetadata"]["KeyId"]
listed = {entry["KeyId"] for page in kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 1}) for entry in page["Keys"]}
assert {key, other} <= listed
assert "NextMarker" not in kms.list_keys()

# Aliases.
kms.create_alias(AliasName="alias/app", TargetKeyId=key)
refused("AlreadyExistsException", "An alias with the name arn:aws:kms:eu-west-1:000000000000:alias/app already exists", kms.create_alias, AliasName="alias/app", TargetKeyId=other)
assert kms.describe_key(KeyId="alias/app")["KeyMetadata"]["KeyId"] == key
assert kms.describe_key(KeyId="arn:aws:kms:eu-west-1:000000000000:alias/app")["KeyMetadata"]["KeyId"] == key
kms.update_alias(AliasName="alias/app", TargetKeyId=other)
assert kms.describe_key(KeyId="alias/app")["KeyMetadata"]["KeyId"] == other
kms.update_alias(AliasName="alias/app", TargetKeyId=key)
(alias,) = [entry for entry in kms.list_aliases()["Aliases"] if entry["AliasName"] == "alias/app"]
assert alias["TargetKeyId"] == key and alias["AliasArn"].endswith(":alias/app")
assert [entry["AliasName"] for entry in kms.list_aliases(KeyId=other)["Aliases"]] == []
refused("NotFoundException", "Alias arn:aws:kms:eu-west-1:000000000000:alias/none is not found.", kms.describe_key, KeyId="alias/none")

# Encrypt and decrypt under a context.
context = {"client_id": "client_123", "purpose": "token"}
sealed = kms.encrypt(KeyId="alias/app", Plaintext=b"x" * 32, EncryptionContext=context)
assert sealed["KeyId"] == arn and sealed["EncryptionAlgorithm"] == "SYMMETRIC_DEFAULT"
blob = sealed["CiphertextBlob"]
assert len(blob) == 184 and blob[:5] == bytes.fromhex("0102020078"), blob.hex()
opened = kms.decrypt(CiphertextBlob=blob, EncryptionContext=dict(reversed(context.items())))
assert opened["Plaintext"] == b"x" * 32 and opened["KeyId"] == arn
assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=context, KeyId=key)["Plaintext"] == b"x" * 32
for wrong in ({}, {"client_id": "client_123"}, {"client_id": "client_124", "purpose": "token"}, {**context, "more": "1"},
              {"client_id": "token", "purpose": "client_123"}):
    refused("InvalidCiphertextException", "", kms.decrypt, CiphertextBlob=blob, EncryptionContext=wrong)
refused("IncorrectKeyException", "The key ID in the request does not identify a CMK that can perform this operation.", kms.decrypt,
        CiphertextBlob=blob, EncryptionContext=context, KeyId=other)
for at in (0, 40, 60, len(blob) - 1):
    broken = blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1:]
    refused("InvalidCiphertextException", "", kms.decrypt, CiphertextBlob=broken, EncryptionContext=context)
refused("InvalidCiphertextException", "", kms.decrypt, CiphertextBlob=blob[:-1], EncryptionContext=context)
refused("InvalidCiphertextException", "", kms.decrypt, CiphertextBlob=blob + b"\0", EncryptionContext=context)

# What no key here has sealed, and what another region's or account's key has, can't be told apart.
def unknown(account):
    return (f"User: arn:aws:iam::{account}:root is not authorized to perform: kms:Decrypt on the resource associated with this ciphertext "
            "because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy "
            "explicitly denies access")


of_no_key = blob[:5] + bytes([blob[5] ^ 1]) + blob[6:]
refused("AccessDeniedException", unknown("000000000000"), kms.decrypt, CiphertextBlob=of_no_key, EncryptionContext=context)
elsewhere = client(region="us-east-1")
refused("NotFoundException", f"Key 'arn:aws:kms:us-east-1:000000000000:key/{key}' does not exist", elsewhere.describe_key, KeyId=key)
refused("AccessDeniedException", unknown("000000000000"), elsewhere.decrypt, CiphertextBlob=blob, EncryptionContext=context)
stranger = client(access_key="111122223333")
refused("NotFoundException", f"Key 'arn:aws:kms:eu-west-1:111122223333:key/{key}' does not exist", stranger.describe_key, KeyId=key)
refused("AccessDeniedException", unknown("111122223333"), stranger.decrypt, CiphertextBlob=blob, EncryptionContext=context)

# Re-encrypt.
moved = kms.re_encrypt(CiphertextBlob=blob, SourceEncryptionContext=context, DestinationKeyId=other, DestinationEncryptionContext={"a": "b"})
assert moved["SourceKeyId"] == arn and moved["KeyId"].endswith(other)
assert kms.decrypt(CiphertextBlob=moved["CiphertextBlob"], EncryptionContext={"a": "b"})["Plaintext"] == b"x" * 32

# Data keys.
data_key = kms.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext=context)
assert len(data_key["Plaintext"]) == 32
assert kms.decrypt(CiphertextBlob=data_key["CiphertextBlob"], EncryptionContext=context)["Plaintext"] == data_key["Plaintext"]
assert len(kms.generate_data_key(KeyId=key, NumberOfBytes=1024)["Plaintext"]) == 1024
silent = kms.generate_data_key_without_plaintext(KeyId=key, KeySpec="AES_128")
assert "Plaintext" not in silent and len(kms.decrypt(CiphertextBlob=silent["CiphertextBlob"])["Plaintext"]) == 16
refused("ValidationException", "Please specify either number of bytes or key spec.", kms.generate_data_key, KeyId=key)
refused("ValidationException", "Please specify either number of bytes or key spec.", kms.generate_data_key, KeyId=key, KeySpec="AES_256", NumberOfBytes=32)
assert len(kms.generate_random(NumberOfBytes=77)["Plaintext"]) == 77

# Rotation keeps what was sealed before.
assert kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] is False
kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
status = kms.get_key_rotation_status(KeyId=key)
assert status["KeyRotationEnabled"] is True and status["RotationPeriodInDays"] == 90 and status["NextRotationDate"] > now
kms.disable_key_rotation(KeyId=key)
for _ in range(2):
    kms.rotate_key_on_demand(KeyId=key)
rotations = kms.list_key_rotations(KeyId=key)["Rotations"]
assert [rotation["RotationType"] for rotation in rotations] == ["ON_DEMAND", "ON_DEMAND"], rotations
assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"] == b"x" * 32
again = kms.encrypt(KeyId=key, Plaintext=b"after", EncryptionContext=context)["CiphertextBlob"]
assert again[5:37] != blob[5:37], "a rotated key seals under a new material"

# States.
kms.disable_key(KeyId=key)
refused("DisabledException", f"{arn} is disabled.", kms.encrypt, KeyId=key, Plaintext=b"x")
refused("DisabledException", f"{arn} is disabled.", kms.decrypt, CiphertextBlob=blob, EncryptionContext=context)
refused("DisabledException", f"{arn} is disabled.", kms.generate_data_key, KeyId=key, KeySpec="AES_256")
refused("DisabledException", f"{arn} is disabled.", kms.rotate_key_on_demand, KeyId=key)
kms.enable_key(KeyId=key)
assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"] == b"x" * 32
gone = kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
assert gone["KeyState"] == "PendingDeletion" and gone["PendingWindowInDays"] == 7
refused("KMSInvalidStateException", f"{arn} is pending deletion.", kms.decrypt, CiphertextBlob=blob, EncryptionContext=context)
refused("KMSInvalidStateException", f"{arn} is pending deletion.", kms.enable_key, KeyId=key)
assert kms.cancel_key_deletion(KeyId=key)["KeyId"] == arn
assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled"
kms.enable_key(KeyId=key)
assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"] == b"x" * 32

# What is wrong is refused in AWS's words.
missing = str(uuid.UUID(int=0))
refused("NotFoundException", f"Key 'arn:aws:kms:eu-west-1:000000000000:key/{missing}' does not exist", kms.encrypt, KeyId=missing, Plaintext=b"x")
refused("NotFoundException", "Invalid keyId 'nonsense'", kms.describe_key, KeyId="nonsense")
refused("ValidationException", "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096",
        kms.encrypt, KeyId=key, Plaintext=b"x" * 4097)
refused("ValidationException", ANY, kms.generate_random, NumberOfBytes=1025)
refused("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.", kms.encrypt, KeyId=key, Plaintext=b"x", DryRun=True)
kms.delete_alias(AliasName="alias/app")
refused("NotFoundException", ANY, kms.describe_key, KeyId="alias/app")
print("boto3 operations: all as in AWS")
