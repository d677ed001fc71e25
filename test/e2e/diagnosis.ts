/** What the cluster tells of a failure: the first things that one would look at. */
import * as z from 'zod';
import { messageOf } from '../support/command.ts';
import type { Cluster } from './cluster.ts';
import { CommandError } from './commands.ts';
import { logOf, operatorPods } from './operator.ts';

/** Text for people: the pods, the warnings of the operator's log, and warning events. Never rejects. */
export async function diagnose(cluster: Cluster): Promise<string> {
  const parts = [
    {
      title: 'pods',
      look: () => cluster.kubectl(['get', 'pods', '--all-namespaces', NOT_OF_KUBERNETES, '--output=wide']),
    },
    { title: "warnings and errors of the operator's log", look: () => complaints(cluster) },
    { title: 'warning events', look: () => warningEvents(cluster) },
  ];
  const texts = [];
  for (const { title, look } of parts) texts.push(`\n== ${title}\n${await attempt(look)}`);
  return texts.join('\n');
}

const NOT_OF_KUBERNETES = '--field-selector=metadata.namespace!=kube-system';

async function attempt(look: () => Promise<string>): Promise<string> {
  try {
    return (await look()).trim() || 'none';
  } catch (error) {
    return messageOf(error);
  }
}

/** Each once: a fault that stays is logged at every reconcile. */
async function complaints(cluster: Cluster): Promise<string> {
  const lines = new Set<string>();
  for (const pod of await operatorPods(cluster)) {
    for (const { level, msg, error = '' } of await logOrNothing(cluster, pod))
      if (level === 'warn' || level === 'error') lines.add(`${pod.name} ${level}: ${msg} ${error}`.trim());
  }
  return [...lines].slice(-MOST).join('\n');
}

const MOST = 15;

/** A container that has not started has no log. */
async function logOrNothing(...args: Parameters<typeof logOf>): ReturnType<typeof logOf> {
  try {
    return await logOf(...args);
  } catch (error) {
    if (error instanceof CommandError) return [];
    throw error;
  }
}

async function warningEvents(cluster: Cluster): Promise<string> {
  const { items } = await cluster.get(Events, ['events', '--all-namespaces', `${NOT_OF_KUBERNETES},type=Warning`]);
  const lines = items.map(({ involvedObject: { kind, name, namespace }, reason, message }) => {
    return `${namespace ?? 'cluster'} ${kind}/${name}: ${reason}: ${message}`;
  });
  return [...new Set(lines)].slice(-MOST).join('\n');
}

const Events = z.object({
  items: z.array(
    z.object({
      involvedObject: z.object({ kind: z.string(), name: z.string(), namespace: z.string().optional() }),
      reason: z.string(),
      message: z.string(),
    }),
  ),
});
