"""Shows a production service what wrong credentials, dates, regions and bodies look like: arguments ENDPOINT, ACCESS KEY, SECRET."""

import datetime
import sys
from unittest import mock

import botocore.auth
from kms_client import ANY, client, refused

access_key, secret = sys.argv[2:4]
kms = client(access_key=access_key, secret=secret)
key = kms.create_key()["KeyMetadata"]["KeyId"]
assert kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]

refused("InvalidSignatureException",
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. "
        "Consult the service documentation for details.",
        client(access_key=access_key, secret=secret[:-1] + ("a" if secret[-1] != "a" else "b")).describe_key, KeyId=key)
refused("UnrecognizedClientException", "The security token included in the request is invalid.",
        client(access_key="AKIAAAAAAAAAAAAAAAAA", secret=secret).describe_key, KeyId=key)
refused("NotFoundException", ANY, client(region="us-east-1", access_key=access_key, secret=secret).describe_key, KeyId=key)

real = botocore.auth.get_current_datetime
for minutes, words in ((-6, "Signature expired"), (6, "Signature not yet current")):
    shifted = lambda *_, **__: real() + datetime.timedelta(minutes=minutes)
    with mock.patch.object(botocore.auth, "get_current_datetime", shifted):
        message = refused("InvalidSignatureException", ANY, kms.describe_key, KeyId=key)
        assert message.startswith(words), message
with mock.patch.object(botocore.auth, "get_current_datetime", lambda *_, **__: real() - datetime.timedelta(minutes=4)):
    kms.describe_key(KeyId=key)


def change_body(request, **_):
    assert b"one" in request.body
    request.body = request.body.replace(b"one", b"two")


changed = client(access_key=access_key, secret=secret)
changed.meta.events.register("before-send.kms.UpdateKeyDescription", change_body)
refused("InvalidSignatureException", ANY, changed.update_key_description, KeyId=key, Description="one")
assert kms.describe_key(KeyId=key)["KeyMetadata"]["Description"] == ""


def change_target(request, **_):
    request.headers["X-Amz-Target"] = "TrentService.DisableKey"


other = client(access_key=access_key, secret=secret)
other.meta.events.register("before-send.kms.DescribeKey", change_target)
refused("InvalidSignatureException", ANY, other.describe_key, KeyId=key)
assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"

unsigned = client(access_key=access_key, secret=secret)
unsigned.meta.events.register("before-send.kms.DescribeKey", lambda request, **_: request.headers.__delitem__("Authorization"))
refused("MissingAuthenticationTokenException", ANY, unsigned.describe_key, KeyId=key)
print("boto3 signatures: refused as in AWS")
