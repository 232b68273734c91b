"""An OIDC issuer on loopback: discovery, its keys, and tokens as a test asks for them.

Prints its URL, then serves until it is ended. GET /count tells how often the keys were fetched; POST /mint takes
{"alg", "kid", "claims", "key"} and answers a token; POST /rotate makes a new key the only one.
"""

import hashlib
import hmac
import json
import sys
import time
from base64 import urlsafe_b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def b64(data):
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, size=None):
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


RSA = rsa.generate_private_key(65537, 2048)
STRANGER = rsa.generate_private_key(65537, 2048)
P256, P384 = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP384R1())
ED25519 = ed25519.Ed25519PrivateKey.generate()
HASHES = {"256": SHA256(), "384": SHA384(), "512": SHA512()}
STATE = {"fetched": 0, "kid": "rsa-1"}


def keys():
    def point(key, curve, size, kid):
        numbers = key.public_key().public_numbers()
        return {"kty": "EC", "crv": curve, "kid": kid, "use": "sig", "x": number(numbers.x, size), "y": number(numbers.y, size)}

    numbers = RSA.public_key().public_numbers()
    return [
        {"kty": "RSA", "kid": STATE["kid"], "use": "sig", "n": number(numbers.n), "e": number(numbers.e)},
        point(P256, "P-256", 32, "p256"),
        point(P384, "P-384", 48, "p384"),
        {"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": b64(ED25519.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))},
        # What no verifier may use, and one that nobody knows.
        {"kty": "oct", "kid": "oct", "alg": "HS256", "k": b64(b"k" * 32)},
        {"kty": "XYZ", "kid": "xyz"},
    ]


def sign(algorithm, text, key):
    if algorithm == "none":
        return b""
    if algorithm == "HS256":
        # The mistake of a verifier that takes the algorithm from the token: the public key as the secret.
        secret = b"k" * 32 if key == "oct" else RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return hmac.new(secret, text, hashlib.sha256).digest()
    if algorithm == "EdDSA":
        return ED25519.sign(text)
    if algorithm.startswith("ES"):
        private, size = (P256, 32) if algorithm == "ES256" else (P384, 48)
        r, s = decode_dss_signature(private.sign(text, ec.ECDSA(HASHES[algorithm[2:]])))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    private = STRANGER if key == "stranger" else RSA
    scheme = padding.PKCS1v15()
    if algorithm.startswith("PS"):
        scheme = padding.PSS(padding.MGF1(HASHES[algorithm[2:]]), padding.PSS.DIGEST_LENGTH)
    return private.sign(text, scheme, HASHES[algorithm[2:]])


class Issuer(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/issuer/.well-known/openid-configuration":
            self.answer({"issuer": URL, "jwks_uri": URL + "/keys"})
        elif self.path == "/issuer/keys":
            STATE["fetched"] += 1
            self.answer({"keys": keys()})
        elif self.path == "/count":
            self.answer(STATE)
        else:
            self.send_error(404)

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"{}")
        if self.path == "/rotate":
            STATE["kid"] = asked["kid"]
            return self.answer(STATE)
        now = int(time.time())
        claims = {"iss": URL, "sub": "system:serviceaccount:prod:app", "aud": ["sts.amazonaws.com"], "iat": now, "exp": now + 600}
        claims.update(asked.get("claims", {}))
        claims = {name: value for name, value in claims.items() if value is not None}
        algorithm = asked.get("alg", "RS256")
        header = {"alg": algorithm, "typ": "JWT", "kid": asked.get("kid", STATE["kid"]), **asked.get("header", {})}
        header = {name: value for name, value in header.items() if value is not None}
        text = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}"
        self.answer({"token": f"{text}.{b64(sign(algorithm, text.encode(), asked.get('key')))}"})

    def answer(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Issuer)
URL = f"http://localhost:{server.server_port}/issuer"
print(URL, flush=True)
sys.stdout.close()
server.serve_forever()
