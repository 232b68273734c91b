"""Calls a server over TLS: arguments ENDPOINT, ACCESS KEY, SECRET, the certificate that it shows, and one that it does not show.

With `make` as the first argument: makes a certificate for 127.0.0.1 that vouches for itself: CERTIFICATE FILE, KEY FILE, NAME.
"""

import datetime
import ipaddress
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, SSLError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


def make(certificate_file, key_file, name):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number(), now - datetime.timedelta(hours=1),
                                      now + datetime.timedelta(days=1))
    builder = builder.add_extension(names, critical=False).add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    certificate = builder.sign(key, hashes.SHA256())
    with open(certificate_file, "wb") as file:
        file.write(certificate.public_bytes(serialization.Encoding.PEM))
    with open(key_file, "wb") as file:
        file.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))


def call(endpoint, access_key, secret, shown, other):
    def client(verify, secret=secret):
        return boto3.client("kms", endpoint_url=endpoint, region_name="eu-west-1", aws_access_key_id=access_key,
                            aws_secret_access_key=secret, verify=verify, config=Config(retries={"total_max_attempts": 1}))

    kms = client(shown)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    sealed = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"x"
    try:
        client(shown, "wrong").list_keys()
        raise AssertionError("a wrong secret was taken over TLS")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "InvalidSignatureException", error
    try:
        client(other).list_keys()
        raise AssertionError("the server showed a certificate that it should not have")
    except SSLError:
        pass


if sys.argv[1] == "make":
    make(*sys.argv[2:])
else:
    call(*sys.argv[1:])
