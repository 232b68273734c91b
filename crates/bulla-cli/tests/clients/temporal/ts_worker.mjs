// A TypeScript worker and client through Bulla: ts_worker.mjs NODE_MODULES EXAMPLE TEMPORAL-ADDRESS CODEC-URL TOKEN
import { createRequire } from 'node:module';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const [modules, example, address, codec, token] = process.argv.slice(2);
const require = createRequire(`${modules}/x.js`);
const { Client, Connection } = require('@temporalio/client');
const { NativeConnection, Worker } = require('@temporalio/worker');
const swc = require('@swc/core');

// The example as it stands, its types taken off.
const source = await readFile(example, 'utf8');
const { code } = await swc.transform(source, { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'es6' } });
const { BullaCodec } = await import(`data:text/javascript,${encodeURIComponent(code)}`);

const dataConverter = { payloadCodecs: [new BullaCodec(codec, 'default', token)] };
const native = await NativeConnection.connect({ address });
const connection = await Connection.connect({ address });
try {
  const worker = await Worker.create({
    connection: native,
    taskQueue: 'ts',
    workflowsPath: fileURLToPath(new URL('./workflows.js', import.meta.url)),
    bundlerOptions: {
      webpackConfigHook: (config) => ({ ...config, resolve: { ...config.resolve, modules: [modules] }, resolveLoader: { modules: [modules] } }),
    },
    activities: { charge: async (card) => `SECRET-charged ${card}` },
    dataConverter,
  });
  const client = new Client({ connection, dataConverter });
  const result = await worker.runUntil(async () => {
    const handle = await client.workflow.start('order', { args: ['SECRET-ts-card'], taskQueue: 'ts', workflowId: 'ts-1', memo: { who: 'SECRET-memo' } });
    const state = await handle.query('state');
    if (state !== 'SECRET-state of SECRET-ts-card') throw new Error(state);
    await handle.signal('finish', 'SECRET-reason');
    return handle.result();
  });
  if (result !== 'SECRET-result SECRET-charged SECRET-ts-card SECRET-reason') throw new Error(result);
  const { memo } = await client.workflow.getHandle('ts-1').describe();
  if (memo.who !== 'SECRET-memo') throw new Error(JSON.stringify(memo));
  console.log('ok');
} finally {
  await connection.close();
  await native.close();
}
