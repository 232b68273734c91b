"""Rotates, imports, disables, deletes and uses the same keys through two processes at once. Arguments: ENDPOINT, access key id, secret access
key, the other endpoint, and a file for what was counted. Nothing but a key's state may keep an operation from being done."""

import json
import random
import sys
import threading

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

endpoint, access_key, secret, other, counted = sys.argv[1:6]
ROUNDS, THREADS = 40, 3
STATES = {"DisabledException", "KMSInvalidStateException"}


def client(url):
    return boto3.client("kms", endpoint_url=url, region_name="eu-west-1", aws_access_key_id=access_key, aws_secret_access_key=secret,
                        config=Config(retries={"max_attempts": 1, "mode": "standard"}))


nodes = client(endpoint), client(other)
keys = [nodes[0].create_key()["KeyMetadata"]["Arn"] for _ in range(2)]
imported, wrapped, token = None, None, None
try:
    imported = nodes[0].create_key(Origin="EXTERNAL")["KeyMetadata"]["Arn"]
    parameters = nodes[0].get_parameters_for_import(KeyId=imported, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048")
    public, token = serialization.load_der_public_key(parameters["PublicKey"]), parameters["ImportToken"]
    wrapped = public.encrypt(b"i" * 32, padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None))
except ClientError as error:
    assert error.response["Error"]["Code"] == "UnsupportedOperationException", error
rotations, blobs, failed, lock = {key: 0 for key in keys}, [], [], threading.Lock()


def work(seed):
    draw = random.Random(seed)
    for _ in range(ROUNDS):
        kms, key = draw.choice(nodes), draw.choice(keys)
        step = draw.choice(["rotate", "rotate", "disable", "enable", "enable", "schedule", "cancel", "cancel", "encrypt", "encrypt", "decrypt", "import"])
        try:
            if step == "rotate":
                kms.rotate_key_on_demand(KeyId=key)
                with lock:
                    rotations[key] += 1
            elif step == "disable":
                kms.disable_key(KeyId=key)
            elif step == "enable":
                kms.enable_key(KeyId=key)
            elif step == "schedule":
                kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
            elif step == "cancel":
                kms.cancel_key_deletion(KeyId=key)
            elif step == "encrypt":
                blob = kms.encrypt(KeyId=key, Plaintext=b"under both")["CiphertextBlob"]
                with lock:
                    blobs.append((key, blob))
            elif step == "decrypt" and blobs:
                assert kms.decrypt(CiphertextBlob=draw.choice(blobs)[1])["Plaintext"] == b"under both"
            elif step == "import" and wrapped:
                draw.choice([
                    lambda: kms.import_key_material(KeyId=imported, ImportToken=token, EncryptedKeyMaterial=wrapped,
                                                    ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE"),
                    lambda: kms.delete_imported_key_material(KeyId=imported),
                    lambda: kms.encrypt(KeyId=imported, Plaintext=b"x"),
                    lambda: kms.disable_key(KeyId=imported),
                    lambda: kms.enable_key(KeyId=imported),
                ])()
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code not in STATES and not (code == "LimitExceededException" and step == "rotate"):
                failed.append(f"{step} {key}: {error}")


threads = [threading.Thread(target=work, args=(seed,)) for seed in range(THREADS * 2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not failed, failed

for key in keys:
    for kms in nodes:
        try:
            kms.cancel_key_deletion(KeyId=key)
        except ClientError as error:
            assert error.response["Error"]["Code"] == "KMSInvalidStateException", error
    nodes[0].enable_key(KeyId=key)
    listed = [len(kms.list_key_rotations(KeyId=key)["Rotations"]) for kms in nodes]
    assert listed == [rotations[key]] * 2, (listed, rotations)
for key, blob in blobs:
    for kms in nodes:
        opened = kms.decrypt(CiphertextBlob=blob)
        assert opened["Plaintext"] == b"under both" and opened["KeyId"] == key
assert sum(rotations.values()) and blobs
with open(counted, "w", encoding="utf-8") as file:
    json.dump({"rotations": rotations, "imported": imported if wrapped else None}, file)
print(f"two nodes: {rotations}, {len(blobs)} ciphertexts")
