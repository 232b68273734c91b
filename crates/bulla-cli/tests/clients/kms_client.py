"""What the boto3 scripts beside this file share: a client, and a check that a call is refused in AWS's words."""

import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT = sys.argv[1]


def client(region="eu-west-1", access_key="anything", secret="anything"):
    return boto3.client(
        "kms",
        endpoint_url=ENDPOINT,
        region_name=region,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret,
        config=Config(retries={"max_attempts": 1, "mode": "standard"}, parameter_validation=False),
    )


ANY = object()


def refused(code, message, call, **arguments):
    """Fails unless the call is refused with this code and exactly this message ("" where AWS sends none)."""
    try:
        answer = call(**arguments)
    except ClientError as error:
        found = error.response["Error"]
        assert found["Code"] == code, f"{code} expected, got {found}"
        if message is not ANY:
            assert found.get("Message", "") == message, f"{message!r} expected, got {found.get('Message')!r}"
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400, error.response
        return found.get("Message", "")
    raise AssertionError(f"{code} expected, got an answer with {sorted(answer)}")
