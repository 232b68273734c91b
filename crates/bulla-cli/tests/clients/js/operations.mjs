// The AWS SDK for JavaScript v3 over Bulla. Arguments: endpoint, access key id, secret access key; the SDK is under BULLA_TEST_NODE_MODULES.
import assert from "node:assert/strict";
import crypto from "node:crypto";
import { createRequire } from "node:module";

const kms = createRequire(`${process.env.BULLA_TEST_NODE_MODULES}/resolve.js`)("@aws-sdk/client-kms");
const [endpoint, accessKeyId, secretAccessKey] = process.argv.slice(2);
const clientOf = (region) => new kms.KMSClient({ endpoint, region, credentials: { accessKeyId, secretAccessKey }, maxAttempts: 1 });
const client = clientOf("eu-west-1");
const call = (operation, input = {}, at = client) => at.send(new kms[`${operation}Command`](input));
const bytes = (text) => Buffer.from(text);
const same = (a, b) => assert.deepEqual(Buffer.from(a), Buffer.from(b));
let done = 0;

async function refused(name, message, operation, input) {
  await assert.rejects(call(operation, input), (error) => {
    assert.equal(error.name, name, `${operation}: ${error.name}: ${error.message}`);
    if (message !== undefined) assert.equal(error.message, message);
    assert.equal(error.$metadata.httpStatusCode, 400);
    assert.match(error.$metadata.requestId, /^[0-9a-f-]{36}$/);
    return true;
  });
}

async function part(name, run) {
  try {
    await run();
  } catch (error) {
    throw new Error(`${name}: ${error.name}: ${error.message}`, { cause: error });
  }
  done += 1;
}

const { KeyId, Arn } = (await call("CreateKey", { Description: "from JavaScript" })).KeyMetadata;
const EncryptionContext = { purpose: "test", café: "🔑" };

await part("symmetric keys", async () => {
  const { KeyMetadata } = await call("DescribeKey", { KeyId });
  assert(KeyMetadata.CreationDate instanceof Date && Math.abs(KeyMetadata.CreationDate - Date.now()) < 60_000);
  const sealed = await call("Encrypt", { KeyId, Plaintext: bytes("secret"), EncryptionContext });
  const opened = await call("Decrypt", { CiphertextBlob: sealed.CiphertextBlob, EncryptionContext });
  same(opened.Plaintext, bytes("secret"));
  assert.equal(opened.KeyId, Arn);
  const dataKey = await call("GenerateDataKey", { KeyId, KeySpec: "AES_256" });
  same((await call("Decrypt", { CiphertextBlob: dataKey.CiphertextBlob })).Plaintext, dataKey.Plaintext);
  assert.equal((await call("GenerateDataKeyWithoutPlaintext", { KeyId, NumberOfBytes: 16 })).Plaintext, undefined);
  assert.equal((await call("GenerateRandom", { NumberOfBytes: 33 })).Plaintext.length, 33);
  await refused("InvalidCiphertextException", undefined, "Decrypt", { CiphertextBlob: sealed.CiphertextBlob });
  await refused("NotFoundException", "Invalid keyId 'nonsense'", "DescribeKey", { KeyId: "nonsense" });
  await refused("DryRunOperationException", undefined, "Encrypt", { KeyId, Plaintext: bytes("x"), DryRun: true });
});

await part("aliases and pages", async () => {
  await call("CreateAlias", { AliasName: "alias/js", TargetKeyId: KeyId });
  assert.equal((await call("DescribeKey", { KeyId: "alias/js" })).KeyMetadata.KeyId, KeyId);
  await call("CreateKey");
  const ids = [];
  for await (const page of kms.paginateListKeys({ client, pageSize: 1 }, {})) ids.push(...page.Keys.map((key) => key.KeyId));
  assert(ids.includes(KeyId) && ids.length >= 2);
  await call("DeleteAlias", { AliasName: "alias/js" });
});

await part("rotation and states", async () => {
  await call("EnableKeyRotation", { KeyId, RotationPeriodInDays: 100 });
  assert((await call("GetKeyRotationStatus", { KeyId })).NextRotationDate > new Date());
  await call("RotateKeyOnDemand", { KeyId });
  assert.equal((await call("ListKeyRotations", { KeyId })).Rotations.length, 1);
  await call("DisableKey", { KeyId });
  await refused("DisabledException", `${Arn} is disabled.`, "Encrypt", { KeyId, Plaintext: bytes("x") });
  await call("EnableKey", { KeyId });
});

await part("tags", async () => {
  await call("TagResource", { KeyId, Tags: [{ TagKey: "a", TagValue: "b" }] });
  assert.deepEqual((await call("ListResourceTags", { KeyId })).Tags, [{ TagKey: "a", TagValue: "b" }]);
  await call("UntagResource", { KeyId, TagKeys: ["a"] });
});

await part("policies and grants", async () => {
  const { Policy } = await call("GetKeyPolicy", { KeyId, PolicyName: "default" });
  await call("PutKeyPolicy", { KeyId, Policy });
  const grant = { KeyId, GranteePrincipal: Arn.replace(/:kms:[^:]*:(\d+):.*/, ":iam::$1:user/app"), Operations: ["Decrypt"] };
  const { GrantId } = await call("CreateGrant", grant);
  assert.equal((await call("ListGrants", { KeyId })).Grants[0].GrantId, GrantId);
  await call("RevokeGrant", { KeyId, GrantId });
});

await part("signatures", async () => {
  for (const [KeySpec, SigningAlgorithm, verify] of [
    ["ECC_NIST_P256", "ECDSA_SHA_256", (key, message, signature) => crypto.verify("sha256", message, key, signature)],
    ["RSA_2048", "RSASSA_PKCS1_V1_5_SHA_512", (key, message, signature) => crypto.verify("sha512", message, key, signature)],
    ["ECC_NIST_EDWARDS25519", "ED25519_SHA_512", (key, message, signature) => crypto.verify(null, message, key, signature)],
  ]) {
    const made = (await call("CreateKey", { KeySpec, KeyUsage: "SIGN_VERIFY" })).KeyMetadata;
    const input = { KeyId: made.KeyId, Message: bytes("message"), SigningAlgorithm };
    const { Signature } = await call("Sign", input);
    assert.equal((await call("Verify", { ...input, Signature })).SignatureValid, true);
    await refused("KMSInvalidSignatureException", undefined, "Verify", { ...input, Signature, Message: bytes("another") });
    const { PublicKey } = await call("GetPublicKey", { KeyId: made.KeyId });
    const key = crypto.createPublicKey({ key: Buffer.from(PublicKey), format: "der", type: "spki" });
    assert(verify(key, bytes("message"), Signature), KeySpec);
  }
});

await part("message authentication", async () => {
  const made = (await call("CreateKey", { KeySpec: "HMAC_256", KeyUsage: "GENERATE_VERIFY_MAC" })).KeyMetadata;
  const input = { KeyId: made.KeyId, Message: bytes("message"), MacAlgorithm: "HMAC_SHA_256" };
  const { Mac } = await call("GenerateMac", input);
  assert.equal((await call("VerifyMac", { ...input, Mac })).MacValid, true);
  await refused("KMSInvalidMacException", undefined, "VerifyMac", { ...input, Mac: bytes("x".repeat(32)) });
});

await part("key agreement", async () => {
  const made = (await call("CreateKey", { KeySpec: "ECC_NIST_P256", KeyUsage: "KEY_AGREEMENT" })).KeyMetadata;
  const mine = crypto.generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { PublicKey } = await call("GetPublicKey", { KeyId: made.KeyId });
  const theirs = crypto.createPublicKey({ key: Buffer.from(PublicKey), format: "der", type: "spki" });
  const agreed = await call("DeriveSharedSecret", {
    KeyId: made.KeyId,
    KeyAgreementAlgorithm: "ECDH",
    PublicKey: mine.publicKey.export({ format: "der", type: "spki" }),
  });
  same(agreed.SharedSecret, crypto.diffieHellman({ privateKey: mine.privateKey, publicKey: theirs }));
});

await part("data key pairs", async () => {
  const pair = await call("GenerateDataKeyPair", { KeyId, KeyPairSpec: "ECC_NIST_P384" });
  const key = crypto.createPrivateKey({ key: Buffer.from(pair.PrivateKeyPlaintext), format: "der", type: "pkcs8" });
  same(crypto.createPublicKey(key).export({ format: "der", type: "spki" }), pair.PublicKey);
});

await part("imported material", async () => {
  const made = (await call("CreateKey", { Origin: "EXTERNAL" })).KeyMetadata;
  const wrapping = { KeyId: made.KeyId, WrappingAlgorithm: "RSAES_OAEP_SHA_256", WrappingKeySpec: "RSA_2048" };
  const { ImportToken, PublicKey, ParametersValidTo } = await call("GetParametersForImport", wrapping);
  assert(ParametersValidTo > new Date());
  const key = crypto.createPublicKey({ key: Buffer.from(PublicKey), format: "der", type: "spki" });
  const EncryptedKeyMaterial = crypto.publicEncrypt({ key, oaepHash: "sha256" }, Buffer.alloc(32, 7));
  const ValidTo = new Date(Date.now() + 86_400_000);
  await call("ImportKeyMaterial", { KeyId: made.KeyId, ImportToken, EncryptedKeyMaterial, ValidTo });
  const { KeyMetadata } = await call("DescribeKey", { KeyId: made.KeyId });
  assert.equal(KeyMetadata.ValidTo.getTime(), ValidTo.getTime());
  await call("DeleteImportedKeyMaterial", { KeyId: made.KeyId });
});

await part("multi-Region keys", async () => {
  const made = (await call("CreateKey", { MultiRegion: true })).KeyMetadata;
  const { CiphertextBlob } = await call("Encrypt", { KeyId: made.KeyId, Plaintext: bytes("everywhere") });
  await call("ReplicateKey", { KeyId: made.KeyId, ReplicaRegion: "us-east-1" });
  const there = clientOf("us-east-1");
  while ((await call("DescribeKey", { KeyId: made.KeyId }, there)).KeyMetadata.KeyState === "Creating");
  same((await call("Decrypt", { CiphertextBlob }, there)).Plaintext, bytes("everywhere"));
});

const deletion = await call("ScheduleKeyDeletion", { KeyId, PendingWindowInDays: 7 });
assert(deletion.DeletionDate > new Date());
await call("CancelKeyDeletion", { KeyId });
console.log(`AWS SDK for JavaScript: ${done} parts`);
