"""Makes nist.json and interop.json out of published vectors and another library.

    pip install cryptography==50.0.2 cryptography-vectors==50.0.2
    python generate.py

nist.json: NIST's CAVP files (ECDSA and RSA of FIPS 186-3, ECDH of SP 800-56A, KWP of SP 800-38F), RSA Laboratories' OAEP vectors, and the
known answers of ML-DSA and ML-KEM, as the package cryptography-vectors has them; a few of each, in one form.
interop.json: keys and signatures that Python's cryptography made. Frozen: run it again only to add kinds, since keys are drawn afresh.
"""

import base64, hashlib, json, os, re, sys

import cryptography_vectors
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.asymmetric import mldsa, mlkem

ROOT = os.path.dirname(cryptography_vectors.__file__)
HASHES = {"SHA256": hashes.SHA256(), "SHA384": hashes.SHA384(), "SHA512": hashes.SHA512()}


def lines(path):
    with open(os.path.join(ROOT, path)) as file:
        return [line.strip() for line in file]


def sections(path):
    """Yields (header, [record]) of a CAVP file."""
    header, records, record = None, [], {}
    for line in lines(path) + ["[end]"]:
        if line.startswith("["):
            if record:
                records.append(record)
                record = {}
            if records:
                yield header, records
                records = []
            header = line.strip("[]")
        elif not line:
            if record:
                records.append(record)
                record = {}
        elif "=" in line and not line.startswith("#"):
            name, value = (part.strip() for part in line.split("=", 1))
            record[name] = value
        elif line in ("FAIL", "P", "F"):
            record["Result"] = line


def der(key):
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.DER, kind).hex()


def pkcs8(key):
    kind = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.DER, kind, serialization.NoEncryption()).hex()


CURVES = {
    "P-256,SHA-256": ("ECC_NIST_P256", ec.SECP256R1()),
    "P-384,SHA-384": ("ECC_NIST_P384", ec.SECP384R1()),
    "P-521,SHA-512": ("ECC_NIST_P521", ec.SECP521R1()),
    "K-256,SHA-256": ("ECC_SECG_P256K1", ec.SECP256K1()),
}


def ecdsa():
    out = []
    for path, most in [("FIPS_186-3/SigVer.rsp", 15), ("FIPS_186-3/SigGen.txt", 3), ("SECP256K1/SigGen.txt", 6)]:
        for header, records in sections("asymmetric/ECDSA/" + path):
            if header not in CURVES:
                continue
            spec, curve = CURVES[header]
            for record in records[:most]:
                number = lambda name: int(record[name], 16)
                try:
                    key = ec.EllipticCurvePublicNumbers(number("Qx"), number("Qy"), curve).public_key()
                except ValueError:
                    continue
                valid = record.get("Result", "P").startswith("P")
                entry = dict(spec=spec, spki=der(key), message=record["Msg"], valid=valid,
                             signature=utils.encode_dss_signature(number("R"), number("S")).hex())
                if "d" in record:
                    entry["scalar"] = record["d"].rjust(len(record["d"]) + len(record["d"]) % 2, "0")
                out.append(entry)
    return out


def rsa_signatures():
    out = []
    for path, scheme in [("SigVer15_186-3.rsp", "PKCS1_V1_5"), ("SigGen15_186-3.rsp", "PKCS1_V1_5"),
                         ("SigVerPSS_186-3.rsp", "PSS"), ("SigGenPSS_186-3.rsp", "PSS")]:
        size, n, e, count = None, None, None, {}
        record = {}
        for line in lines("asymmetric/RSA/FIPS_186-2/" + path) + [""]:
            if line.startswith("[mod"):
                size = int(line.split("=")[1].strip(" ]"))
            elif "=" in line:
                name, value = (part.strip() for part in line.split("=", 1))
                if name == "n":
                    n, e = int(value, 16), e if path.startswith("SigVer") else None
                elif name == "e":
                    e = int(value, 16)
                else:
                    record[name] = value
            elif not line and "S" in record:
                name = record["SHAAlg"]
                salt = len(record.get("SaltVal", "")) // 2
                wanted = size in (2048, 3072, 4096) and name in HASHES
                if scheme == "PSS" and wanted and salt != HASHES[name].digest_size:
                    wanted = False
                key = (size, name)
                if wanted and count.get(key, 0) < 6:
                    count[key] = count.get(key, 0) + 1
                    valid = record.get("Result", "P").startswith("P")
                    out.append(dict(spec=f"RSA_{size}", algorithm=f"RSASSA_{scheme}_{name[:3]}_{name[3:]}", valid=valid,
                                    spki=der(rsa.RSAPublicNumbers(e, n).public_key()), message=record["Msg"],
                                    signature=record["S"].lower().rjust(size // 4, "0")))
                record = {}
            elif not line:
                record = {}
    return out


def ecdh():
    out = []
    names = {"EC - SHA256": CURVES["P-256,SHA-256"], "ED - SHA384": CURVES["P-384,SHA-384"], "EE - SHA512": CURVES["P-521,SHA-512"]}
    for header, records in sections("asymmetric/ECDH/KASValidityTest_ECCStaticUnified_NOKC_ZZOnly_init.fax"):
        if header not in names:
            continue
        spec, curve = names[header]
        for record in records[:25]:
            result = record.get("Result", "")
            if not result.startswith("P") and "Z changed" not in result:
                continue
            x, y = (record[name] for name in ("QsCAVSx", "QsCAVSy"))
            size = (curve.key_size + 7) // 8
            point = "04" + x[-2 * size:].rjust(2 * size, "0") + y[-2 * size:].rjust(2 * size, "0")
            try:
                peer = ec.EllipticCurvePublicKey.from_encoded_point(curve, bytes.fromhex(point))
            except ValueError:
                continue
            even = lambda text: text.rjust(len(text) + len(text) % 2, "0")
            out.append(dict(spec=spec, peer=der(peer), scalar=even(record["dsIUT"]),
                            secret=record["Z"][-2 * size:].rjust(2 * size, "0"), same=result.startswith("P")))
    return out


def key_wrap():
    out = []
    for path in ("KWP_AD_256.txt", "KWP_AE_256.txt"):
        for _, records in sections("keywrap/kwtestvectors/" + path):
            chosen = [r for r in records if "P" in r][:2] + [r for r in records if "P" not in r][:2]
            out += [dict(key=r["K"], wrapped=r["C"], plaintext=r.get("P")) for r in chosen if "C" in r and len(r["C"]) < 1200]
    return out


def oaep():
    out = []
    files = [("pkcs-1v2-1d2-vec/oaep-vect.txt", "RSAES_OAEP_SHA_1"), ("oaep-custom/oaep-sha256-sha256.txt", "RSAES_OAEP_SHA_256")]
    for path, algorithm in files:
        numbers, name, text, message, count = {}, None, "", None, 0
        for line in lines("asymmetric/RSA/" + path) + ["# end:"]:
            if line.startswith("#"):
                value = text.replace(" ", "")
                if name and value:
                    if name == "Encryption" and numbers["Modulus"].bit_length() == 2048 and count < 6:
                        count += 1
                        n, e, d, p, q = (numbers[k] for k in ("Modulus", "Exponent", "Private", "Prime 1", "Prime 2"))
                        parts = [numbers[k] for k in ("Prime exponent 1", "Prime exponent 2", "Coefficient")]
                        key = rsa.RSAPrivateNumbers(p, q, d, *parts, rsa.RSAPublicNumbers(e, n)).private_key()
                        out.append(dict(algorithm=algorithm, pkcs8=pkcs8(key), message=message, ciphertext=value.rjust(512, "0")))
                    elif name == "Message":
                        message = value
                    elif name not in ("Encryption", "Seed"):
                        numbers[name] = int(value, 16)
                label = re.match(r"# ([A-Za-z0-9 ]+):$", line)
                if "Private key" in line:
                    private = True
                elif "Public key" in line:
                    private = False
                if label:
                    name = {"Public exponent": "Exponent"}.get(label[1], label[1])
                    if label[1] == "Exponent":
                        name = "Private" if private else "Exponent"
                else:
                    name = None
                text = ""
            else:
                text += line
    return out


def records(path, most):
    out, record = [], {}
    for line in lines(path):
        name, _, value = (part.strip() for part in line.partition("="))
        if name == "count":
            record = {}
            out.append(record)
            if len(out) > most:
                return out[:most]
        record[name] = value
    return out


def ml_dsa():
    out = []
    for level, size in [("44", 2420), ("65", 3309), ("87", 4627)]:
        for record in records(f"asymmetric/MLDSA/kat_MLDSA_{level}_det_pure.rsp", 2):
            raw = {name: bytes.fromhex(record[name]) for name in ("pk", "msg", "ctx", "sm")}
            tr = hashlib.shake_256(raw["pk"]).digest(64)
            mu = hashlib.shake_256(tr + bytes([0, len(raw["ctx"])]) + raw["ctx"] + raw["msg"]).hexdigest(64)
            out.append(dict(spec=f"ML_DSA_{level}", seed=record["xi"], publicKey=record["pk"], mu=mu, signature=raw["sm"][:size].hex()))
    return out


def ml_kem():
    out = []
    for level in ("512", "768", "1024"):
        for r in records(f"asymmetric/MLKEM/kat_MLKEM_{level}.rsp", 2):
            out.append(dict(spec=f"ML_KEM_{level}", seed=r["d"] + r["z"], publicKey=r["pk"], ciphertext=r["ct"], secret=r["ss"],
                            rejectedCiphertext=r["ct_n"], rejectedSecret=r["ss_n"]))
    return out


def interop():
    message = b"made by another library"
    out = []
    for size in (2048, 3072, 4096):
        key = rsa.generate_private_key(65537, size)
        signatures = {}
        for name, hash in HASHES.items():
            suffix = f"{name[:3]}_{name[3:]}"
            signatures[f"RSASSA_PKCS1_V1_5_{suffix}"] = key.sign(message, padding.PKCS1v15(), hash).hex()
            pss = padding.PSS(padding.MGF1(hash), hash.digest_size)
            signatures[f"RSASSA_PSS_{suffix}"] = key.sign(message, pss, hash).hex()
        out.append(dict(spec=f"RSA_{size}", pkcs8=pkcs8(key), spki=der(key.public_key()), signatures=signatures))
    for name, (spec, curve) in CURVES.items():
        key = ec.generate_private_key(curve)
        hash = HASHES[name.split(",")[1].replace("-", "")]
        algorithm = f"ECDSA_SHA_{hash.digest_size * 8}"
        out.append(dict(spec=spec, pkcs8=pkcs8(key), spki=der(key.public_key()),
                        signatures={algorithm: key.sign(message, ec.ECDSA(hash)).hex()}))
    key = ed25519.Ed25519PrivateKey.generate()
    out.append(dict(spec="ECC_NIST_EDWARDS25519", pkcs8=pkcs8(key), spki=der(key.public_key()),
                    signatures={"ED25519_SHA_512": key.sign(message).hex()}))
    for level in ("44", "65", "87"):
        key = getattr(mldsa, f"MLDSA{level}PrivateKey").generate()
        out.append(dict(spec=f"ML_DSA_{level}", pkcs8=pkcs8(key), spki=der(key.public_key()),
                        signatures={"ML_DSA_SHAKE_256": key.sign(message).hex()}))
    for level in ("512", "768", "1024"):
        kind = getattr(mlkem, f"MLKEM{level}PrivateKey", None)
        if kind:
            key = kind.generate()
            secret, ciphertext = key.public_key().encapsulate()
            out.append(dict(spec=f"ML_KEM_{level}", pkcs8=pkcs8(key), spki=der(key.public_key()), signatures={},
                            ciphertext=ciphertext.hex(), secret=secret.hex()))
    return dict(message=message.hex(), keys=out)


def write(name, value):
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
    with open(path, "w") as file:
        json.dump(value, file, indent=0)
        file.write("\n")
    print(name, os.path.getsize(path))


nist = dict(ecdsa=ecdsa(), rsa=rsa_signatures(), ecdh=ecdh(), keyWrap=key_wrap(), oaep=oaep(), mlDsa=ml_dsa(), mlKem=ml_kem())
print({name: len(value) for name, value in nist.items()})
write("nist.json", nist)
if "--interop" in sys.argv:
    write("interop.json", interop())
