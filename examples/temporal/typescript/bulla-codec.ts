// A Temporal worker's or client's way to Bulla's codec server:
//
//   const dataConverter = { payloadCodecs: [new BullaCodec('https://codec.example.org/codec', 'default', token)] };
import type { Payload, PayloadCodec } from '@temporalio/common';

type Json = { metadata?: Record<string, string>; data?: string };

const base64 = (bytes: Uint8Array | null | undefined) => Buffer.from(bytes ?? []).toString('base64');
const bytes = (text?: string) => new Uint8Array(Buffer.from(text ?? '', 'base64'));
const each = <A, B>(entries: Record<string, A> | null | undefined, map: (value: A) => B) =>
  Object.fromEntries(Object.entries(entries ?? {}).map(([name, value]) => [name, map(value)]));

export class BullaCodec implements PayloadCodec {
  constructor(readonly endpoint: string, readonly namespace: string, readonly token?: string) {}

  encode = (payloads: Payload[]) => this.ask('encode', payloads);
  decode = (payloads: Payload[]) => this.ask('decode', payloads);

  private async ask(verb: string, payloads: Payload[]): Promise<Payload[]> {
    const body = payloads.map((payload) => ({ metadata: each(payload.metadata, base64), data: base64(payload.data) }));
    const response = await fetch(`${this.endpoint}/${this.namespace}/${verb}`, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        'X-Namespace': this.namespace,
        ...(this.token ? { Authorization: `Bearer ${this.token}` } : {}),
      },
      body: JSON.stringify({ payloads: body }),
      signal: AbortSignal.timeout(20_000),
    });
    if (response.status !== 200) throw new Error(`the codec answered ${response.status}: ${await response.text()}`);
    const answer = (await response.json()) as { payloads: Json[] };
    return answer.payloads.map(({ metadata, data }) => ({ metadata: each(metadata, bytes), data: bytes(data) }));
  }
}
