"""Seals, rotates twice (phase `seal`); opens what was sealed, in another process of the service (phase `open`)."""

import base64
import json
import sys

from kms_client import client, refused

access_key, secret, phase, state = sys.argv[2:6]
kms = client(access_key=access_key, secret=secret)
context = {"client_id": "client_123", "purpose": "token"}

if phase == "seal":
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/restart", TargetKeyId=key)
    blobs = []
    for generation in range(3):
        if generation:
            kms.rotate_key_on_demand(KeyId=key)
        plaintext = f"generation {generation}"
        blob = kms.encrypt(KeyId="alias/restart", Plaintext=plaintext.encode(), EncryptionContext=context)["CiphertextBlob"]
        blobs.append((plaintext, base64.b64encode(blob).decode()))
    assert len({base64.b64decode(blob)[5:37] for _, blob in blobs}) == 3, "each rotation makes a material of its own"
    with open(state, "w") as file:
        json.dump({"key": key, "blobs": blobs}, file)
else:
    with open(state) as file:
        kept = json.load(file)
    for plaintext, blob in kept["blobs"]:
        blob = base64.b64decode(blob)
        assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"] == plaintext.encode()
        refused("InvalidCiphertextException", "", kms.decrypt, CiphertextBlob=blob, EncryptionContext={**context, "purpose": "tokem"})
    rotations = kms.list_key_rotations(KeyId=kept["key"])["Rotations"]
    assert len(rotations) == 2, rotations
    assert kms.describe_key(KeyId="alias/restart")["KeyMetadata"]["KeyId"] == kept["key"]
print(f"boto3 {phase}: done")
