"""The AWS Encryption SDK for Python over Bulla: every algorithm suite, key providers and keyrings, several keys in two regions, and the
caching materials manager. Argument: ENDPOINT."""

import logging
import os
import re
import sys
import urllib.request

os.environ.update(AWS_ENDPOINT_URL=sys.argv[1], AWS_ACCESS_KEY_ID="anything", AWS_SECRET_ACCESS_KEY="anything", AWS_DEFAULT_REGION="eu-west-1",
                  AWS_EC2_METADATA_DISABLED="true")

import aws_encryption_sdk  # noqa: E402
import boto3  # noqa: E402
from aws_cryptographic_material_providers.mpl import AwsCryptographicMaterialProviders  # noqa: E402
from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig  # noqa: E402
from aws_cryptographic_material_providers.mpl.models import (  # noqa: E402
    CreateAwsKmsDiscoveryKeyringInput, CreateAwsKmsKeyringInput, CreateAwsKmsMrkKeyringInput, CreateMultiKeyringInput)
from aws_encryption_sdk import CommitmentPolicy  # noqa: E402
from aws_encryption_sdk.identifiers import AlgorithmSuite  # noqa: E402
from botocore.exceptions import ClientError  # noqa: E402

logging.disable(logging.CRITICAL)
SECRET = b"what an application keeps" * 100
CONTEXT = {"tenant": "42", "purpose": "test"}
here, there = (boto3.client("kms", region_name=region) for region in ("eu-west-1", "us-east-1"))
first, second = (kms.create_key()["KeyMetadata"]["Arn"] for kms in (here, there))


def calls(operation):
    """How often the server has done an operation."""
    page = urllib.request.urlopen(f"{sys.argv[1]}/metrics").read().decode()
    return sum(int(n) for n in re.findall(rf'^bulla_operations_total{{operation="{operation}",outcome="ok"}} (\d+)$', page, re.M))


def client_for(algorithm):
    committing = algorithm.name.startswith("AES_256_GCM_HKDF_SHA512_COMMIT_KEY")
    policy = CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT if committing else CommitmentPolicy.FORBID_ENCRYPT_ALLOW_DECRYPT
    return aws_encryption_sdk.EncryptionSDKClient(commitment_policy=policy)


def refused(call, **arguments):
    try:
        call(**arguments)
    except Exception:  # noqa: BLE001
        return
    raise AssertionError("it was opened")


def changed(message):
    return message[:-1] + bytes([message[-1] ^ 1])


suites = list(AlgorithmSuite)
assert len(suites) == 11, suites
lengths = set()

# Key providers: sealed under both keys, opened with either.
both = aws_encryption_sdk.StrictAwsKmsMasterKeyProvider(key_ids=[first, second])
for suite in suites:
    sdk = client_for(suite)
    before = calls("GenerateDataKey")
    message, header = sdk.encrypt(source=SECRET, key_provider=both, algorithm=suite, encryption_context=CONTEXT)
    assert header.algorithm == suite and len(header.encrypted_data_keys) == 2
    assert calls("GenerateDataKey") == before + 1
    lengths.add(suite.data_key_len)
    for key in (first, second):
        provider = aws_encryption_sdk.StrictAwsKmsMasterKeyProvider(key_ids=[key])
        opened, header = sdk.decrypt(source=message, key_provider=provider)
        assert opened == SECRET and header.encryption_context.items() >= CONTEXT.items()
        refused(sdk.decrypt, source=changed(message), key_provider=provider)
    opened, _ = sdk.decrypt(source=message, key_provider=aws_encryption_sdk.DiscoveryAwsKmsMasterKeyProvider())
    assert opened == SECRET
assert lengths == {16, 24, 32}, lengths

# Keyrings of the material providers library: one keyring for each region, in one.
providers = AwsCryptographicMaterialProviders(config=MaterialProvidersConfig())
one = providers.create_aws_kms_keyring(CreateAwsKmsKeyringInput(kms_key_id=first, kms_client=here))
other = providers.create_aws_kms_keyring(CreateAwsKmsKeyringInput(kms_key_id=second, kms_client=there))
multi = providers.create_multi_keyring(CreateMultiKeyringInput(generator=one, child_keyrings=[other]))
discovery = providers.create_aws_kms_discovery_keyring(CreateAwsKmsDiscoveryKeyringInput(kms_client=there))
for suite in suites:
    sdk = client_for(suite)
    message, header = sdk.encrypt(source=SECRET, keyring=multi, algorithm=suite, encryption_context=CONTEXT)
    assert header.algorithm == suite and len(header.encrypted_data_keys) == 2
    for keyring in (multi, one, other, discovery):
        opened, _ = sdk.decrypt(source=message, keyring=keyring, encryption_context=CONTEXT)
        assert opened == SECRET, suite
    refused(sdk.decrypt, source=changed(message), keyring=other)
    refused(sdk.decrypt, source=message, keyring=other, encryption_context={**CONTEXT, "tenant": "43"})

# A message of key providers opens with keyrings, and the reverse.
sdk = client_for(AlgorithmSuite.AES_256_GCM_HKDF_SHA512_COMMIT_KEY_ECDSA_P384)
assert sdk.decrypt(source=sdk.encrypt(source=SECRET, key_provider=both)[0], keyring=other)[0] == SECRET
assert sdk.decrypt(source=sdk.encrypt(source=SECRET, keyring=multi)[0], key_provider=both)[0] == SECRET

# The caching manager asks for one data key where twenty messages are sealed, and opens them with one call.
for suite in (suite for suite in suites if suite.safe_to_cache()):
    sdk = client_for(suite)
    cache = aws_encryption_sdk.LocalCryptoMaterialsCache(capacity=100)
    manager = aws_encryption_sdk.CachingCryptoMaterialsManager(cache=cache, master_key_provider=both, max_age=600.0, max_messages_encrypted=100)
    before = calls("GenerateDataKey"), calls("Decrypt")
    messages = [sdk.encrypt(source=SECRET, materials_manager=manager, algorithm=suite, encryption_context=CONTEXT)[0] for _ in range(20)]
    assert calls("GenerateDataKey") == before[0] + 1, suite
    assert all(sdk.decrypt(source=message, materials_manager=manager)[0] == SECRET for message in messages)
    assert calls("Decrypt") == before[1] + 1, suite
    manager = aws_encryption_sdk.CachingCryptoMaterialsManager(cache=cache, master_key_provider=both, max_age=600.0, max_messages_encrypted=2)
    before = calls("GenerateDataKey")
    for _ in range(6):
        sdk.encrypt(source=SECRET, materials_manager=manager, algorithm=suite, encryption_context={"other": "context"})
    assert calls("GenerateDataKey") == before + 3, suite

# What was sealed before a rotation opens after it; a disabled key opens nothing.
message, _ = sdk.encrypt(source=SECRET, keyring=one)
here.rotate_key_on_demand(KeyId=first)
assert sdk.decrypt(source=message, keyring=one)[0] == SECRET
here.disable_key(KeyId=first)
refused(sdk.decrypt, source=message, keyring=one)
here.enable_key(KeyId=first)

# Multi-Region keys: sealed under the primary, opened with the replica.
try:
    primary = here.create_key(MultiRegion=True)["KeyMetadata"]["Arn"]
    here.replicate_key(KeyId=primary, ReplicaRegion="us-east-1")
except ClientError as error:
    assert error.response["Error"]["Code"] == "UnsupportedOperationException", error
else:
    replica = primary.replace("eu-west-1", "us-east-1")
    ring = [providers.create_aws_kms_mrk_keyring(CreateAwsKmsMrkKeyringInput(kms_key_id=arn, kms_client=kms))
            for arn, kms in ((primary, here), (replica, there))]
    while there.describe_key(KeyId=replica)["KeyMetadata"]["KeyState"] == "Creating":
        pass
    for seals, opens in (ring, ring[::-1]):
        assert sdk.decrypt(source=sdk.encrypt(source=SECRET, keyring=seals)[0], keyring=opens)[0] == SECRET

print(f"AWS Encryption SDK {aws_encryption_sdk.identifiers.__version__}: {len(suites)} suites, key providers, keyrings, caching")
