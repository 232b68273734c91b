// Two instances of a gateway that need the same token of a third party: one fetches it, the other finds it.
//
//   bulla serve --dev
//   npm start            (BULLA_ENDPOINT and BULLA_API_TOKEN where it is another service)

import { TokenVault, VaultError } from "./vault.mjs";

const settings = { endpoint: process.env.BULLA_ENDPOINT, apiToken: process.env.BULLA_API_TOKEN };
const [one, other] = [new TokenVault(settings), new TokenVault(settings)];

// A name may have any characters: the client encodes it.
const [client, provider] = ["shop-42", "payments.example/v2"];

let fetches = 0;
async function askTheProvider() {
  fetches += 1;
  return { value: `access-${fetches}`, ttlSeconds: 900 };
}

const first = await one.getOrFetch(client, provider, askTheProvider);
const second = await other.getOrFetch(client, provider, askTheProvider);
console.log(`both have the same token: ${first === second}; the provider was asked ${fetches} time(s)`);

const { version, expires_at: expiresAt } = await other.get(client, provider);
console.log(`it is version ${version}, and ends ${expiresAt}`);

await one.revoke(client);
console.log(`after the revocation the other instance finds: ${await other.get(client, provider)}`);

try {
  await one.put(client, provider, "x".repeat(65_537));
} catch (error) {
  if (!(error instanceof VaultError)) throw error;
  console.log(`too long a value is refused: HTTP ${error.status}, ${error.code}`);
}
