// A client of Bulla's token vault: HTTP and JSON, nothing to install.

/** What the vault refused: `code` stays as it is, `status` is HTTP's. */
export class VaultError extends Error {
  constructor(status, problem) {
    super(problem.detail ?? problem.title ?? `HTTP status ${status}`);
    this.name = "VaultError";
    this.status = status;
    this.code = problem.code ?? "unknown";
    this.requestId = problem.request_id;
  }
}

export class TokenVault {
  #endpoint;
  #apiToken;
  #timeoutMs;

  /** `apiToken` is one of `bulla principal token NAME`; `bulla serve --dev` needs none. */
  constructor({ endpoint = "http://127.0.0.1:4599", apiToken, timeoutMs = 10_000 } = {}) {
    this.#endpoint = endpoint.replace(/\/+$/, "");
    this.#apiToken = apiToken;
    this.#timeoutMs = timeoutMs;
  }

  /** Keeps a token; answers `{version, expires_at}`. */
  put(client, provider, value, { ttlSeconds, scopes } = {}) {
    return this.#ask("PUT", place(client, provider), { value, ttl_seconds: ttlSeconds, scopes });
  }

  /** Answers `{value, version, expires_at, …}`, or `null` where there is none. */
  async get(client, provider) {
    try {
      return await this.#ask("GET", place(client, provider));
    } catch (error) {
      if (error instanceof VaultError && error.status === 404 && error.code === "not_found") return null;
      throw error;
    }
  }

  /** The token that is there; else what `fetchToken` brings (`{value, ttlSeconds}`), kept for everybody. */
  async getOrFetch(client, provider, fetchToken) {
    const found = await this.get(client, provider);
    if (found) return found.value;
    const { value, ttlSeconds } = await fetchToken();
    await this.put(client, provider, value, { ttlSeconds });
    return value;
  }

  delete(client, provider) {
    return this.#ask("DELETE", place(client, provider));
  }

  /** Deletes everything of a client, and bars what there was. */
  revoke(client) {
    return this.#ask("POST", `/v1/tokens/${encodeURIComponent(client)}/revoke`);
  }

  async #ask(method, path, body) {
    const headers = { accept: "application/json" };
    if (this.#apiToken) headers.authorization = `Bearer ${this.#apiToken}`;
    if (body !== undefined) headers["content-type"] = "application/json";
    const answer = await fetch(this.#endpoint + path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      redirect: "error",
      signal: AbortSignal.timeout(this.#timeoutMs),
    });
    const text = await answer.text();
    if (!answer.ok) throw new VaultError(answer.status, parsed(text));
    return text === "" ? undefined : JSON.parse(text);
  }
}

const place = (client, provider) => `/v1/tokens/${encodeURIComponent(client)}/${encodeURIComponent(provider)}`;

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
