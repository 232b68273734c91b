"""boto3's STS against the whole program: roles by signature and by token, and what is refused in AWS's words.

Arguments: endpoint, access key id, secret, the issuer's URL, the account.
"""

import json
import sys
import time
import urllib.request

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT, ACCESS_KEY, SECRET, ISSUER, ACCOUNT = sys.argv[1:6]
ROLE = f"arn:aws:iam::{ACCOUNT}:role/app"
ROOT = ISSUER.rsplit("/", 1)[0]


def client(service, **credentials):
    return boto3.client(
        service,
        endpoint_url=ENDPOINT,
        region_name="eu-west-1",
        config=Config(retries={"max_attempts": 1, "mode": "standard"}, **credentials.pop("config", {})),
        **credentials,
    )


def signed(service, access_key=ACCESS_KEY, secret=SECRET, token=None):
    return client(service, aws_access_key_id=access_key, aws_secret_access_key=secret, aws_session_token=token)


def of(service, credentials):
    return signed(service, credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"])


def ask(path, **asked):
    body = json.dumps(asked).encode() if asked else None
    with urllib.request.urlopen(ROOT + path, data=body) as answer:
        return json.load(answer)


def mint(**asked):
    return ask("/mint", **(asked or {"claims": {}}))["token"]


def refused(code, text, status, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        found = error.response["Error"]
        assert (found["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]) == (code, status), error.response
        assert text in found["Message"], f"{text!r} expected, got {found['Message']!r}"
        return
    raise AssertionError(f"{code} expected, got an answer")


def by_signature():
    sts = signed("sts")
    identity = sts.get_caller_identity()
    assert identity["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/admin" and identity["Account"] == ACCOUNT, identity
    assert identity["UserId"].startswith("AIDA") and len(identity["UserId"]) == 21, identity
    assumed = sts.assume_role(RoleArn=ROLE, RoleSessionName="by-hand", ExternalId="7 of 9".replace(" ", "-"), DurationSeconds=900,
                              Tags=[{"Key": "team", "Value": "a/b+c"}], TransitiveTagKeys=["team"],
                              Policy=json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}}))
    assert assumed["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/app/by-hand", assumed
    assert assumed["PackedPolicySize"] > 0
    credentials = assumed["Credentials"]
    left = credentials["Expiration"].timestamp() - time.time()
    assert 880 < left <= 901, left
    assert of("sts", credentials).get_caller_identity()["Arn"] == assumed["AssumedRoleUser"]["Arn"]
    of("kms", credentials).generate_random(NumberOfBytes=8)
    # The session policy allows nothing of STS.
    refused("AccessDenied", "is not authorized to perform: sts:AssumeRole on resource", 403, of("sts", credentials).assume_role,
            RoleArn=ROLE, RoleSessionName="again", ExternalId="7-of-9")
    refused("AccessDenied", "is not authorized to perform: sts:AssumeRole", 403, sts.assume_role, RoleArn=ROLE, RoleSessionName="by-hand")
    refused("AccessDenied", "is not authorized to perform: sts:AssumeRole", 403, sts.assume_role,
            RoleArn=ROLE + "x", RoleSessionName="by-hand", ExternalId="7-of-9")
    refused("ValidationError", "MaxSessionDuration", 400, sts.assume_role,
            RoleArn=ROLE, RoleSessionName="by-hand", ExternalId="7-of-9", DurationSeconds=43200)
    refused("MalformedPolicyDocument", "", 400, sts.assume_role, RoleArn=ROLE, RoleSessionName="by-hand", ExternalId="7-of-9", Policy="{}")
    refused("ValidationError", "not supported", 400, sts.assume_role,
            RoleArn=ROLE, RoleSessionName="by-hand", ExternalId="7-of-9", SerialNumber="arn:aws:iam::111122223333:mfa/ann")
    refused("InvalidAction", "Could not find operation GetSessionToken", 400, sts.get_session_token)
    return credentials


def what_is_not_whole(credentials):
    """Credentials with a part missing or another's."""
    invalid, kms_invalid = "InvalidClientTokenId", "UnrecognizedClientException"
    text = "The security token included in the request is invalid."
    key, secret, token = credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"]
    for code, status, service, call in [
        (invalid, 403, "sts", lambda api: api.get_caller_identity),
        (kms_invalid, 400, "kms", lambda api: api.list_keys),
    ]:
        for wrong in [(key, secret, None), (ACCESS_KEY, SECRET, token), (key, secret, token[:-8] + "AAAAAAA="), ("ASIAAAAAAAAAAAAAAAAA", secret, token)]:
            refused(code, text, status, call(signed(service, *wrong)))
    refused("SignatureDoesNotMatch", "does not match", 403, signed("sts", key, "x" * 40, token).get_caller_identity)
    refused("SignatureDoesNotMatch", "does not match", 403, signed("sts", ACCESS_KEY, "x" * 40).get_caller_identity)
    refused("MissingAuthenticationToken", "", 403, client("sts", config={"signature_version": UNSIGNED}).get_caller_identity)


def by_token():
    sts = client("sts", config={"signature_version": UNSIGNED})

    def assume(token, **more):
        return sts.assume_role_with_web_identity(RoleArn=ROLE, RoleSessionName="pod-1", WebIdentityToken=token, **more)

    for algorithm, kid in [("RS256", "rsa-1"), ("RS384", "rsa-1"), ("RS512", "rsa-1"), ("ES256", "p256"), ("ES384", "p384"), ("EdDSA", "ed")]:
        answer = assume(mint(alg=algorithm, kid=kid))
        assert answer["SubjectFromWebIdentityToken"] == "system:serviceaccount:prod:app", answer
        assert answer["Audience"] == "sts.amazonaws.com" and answer["Provider"].endswith(ISSUER.split("://")[1]), answer
        assert of("sts", answer["Credentials"]).get_caller_identity()["Arn"].endswith("assumed-role/app/pod-1")
    of("kms", answer["Credentials"]).generate_random(NumberOfBytes=8)
    assume(mint(kid=None), DurationSeconds=900)

    now = int(time.time())
    token = "InvalidIdentityToken"
    refused(token, "Incorrect token audience", 400, assume, token=mint(claims={"aud": "another"}))
    refused("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", 403, assume, token=mint(claims={"sub": "system:serviceaccount:dev:app"}))
    refused("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", 403, sts.assume_role_with_web_identity,
            RoleArn=ROLE + "x", RoleSessionName="pod-1", WebIdentityToken=mint())
    for issuer in ["http://localhost:1/issuer", ISSUER + "/", "https://example.org"]:
        refused(token, "No OpenIDConnect provider found in your account for", 400, assume, token=mint(claims={"iss": issuer}))
    refused(token, "algorithm", 400, assume, token=mint(alg="none"))
    refused(token, "algorithm", 400, assume, token=mint(alg="HS256"))
    refused(token, "algorithm", 400, assume, token=mint(alg="HS256", kid="oct", key="oct"))
    refused(token, "algorithm", 400, assume, token=mint(alg="PS256"))
    refused(token, "algorithm", 400, assume, token=mint(header={"crit": ["exp"]}))
    refused(token, "verification key", 400, assume, token=mint(alg="ES256", kid="rsa-1"))
    refused(token, "signature", 400, assume, token=mint(key="stranger"))
    refused("ExpiredTokenException", "Token expired", 400, assume, token=mint(claims={"exp": now - 3600}))
    refused(token, "not valid yet", 400, assume, token=mint(claims={"nbf": now + 3600}))
    refused(token, "not valid yet", 400, assume, token=mint(claims={"iat": now + 3600}))
    for claim in ["exp", "sub", "iss"]:
        refused(token, claim, 400, assume, token=mint(claims={claim: None}))
    for wrong in ["a.b.c", "eyJ.eyJ.", "nonsense", "x" * 19000]:
        refused(token, "not a valid JWT", 400, assume, token=wrong)
    changed = mint().split(".")
    changed[1] = changed[1][:-4] + ("AAAA" if changed[1][-4:] != "AAAA" else "BBBB")
    refused(token, "", 400, assume, token=".".join(changed))

    # However many name a key that is not there, the issuer is asked for its keys once in a while.
    before = ask("/count")["fetched"]
    for number in range(10):
        refused(token, "verification key", 400, assume, token=mint(kid=f"unknown-{number}"))
    assert ask("/count")["fetched"] - before <= 1, ask("/count")


credentials = by_signature()
what_is_not_whole(credentials)
by_token()
