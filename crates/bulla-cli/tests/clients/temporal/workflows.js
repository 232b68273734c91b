// The workflow of the TypeScript worker's test.
import { condition, defineQuery, defineSignal, proxyActivities, setHandler } from '@temporalio/workflow';

const { charge } = proxyActivities({ startToCloseTimeout: '30s' });
export const state = defineQuery('state');
export const finish = defineSignal('finish');

export async function order(card) {
  let done;
  setHandler(state, () => `SECRET-state of ${card}`);
  setHandler(finish, (why) => void (done = why));
  const charged = await charge(card);
  await condition(() => done !== undefined);
  return `SECRET-result ${charged} ${done}`;
}
