/** The election of the leader, the one replica that reconciles, and what it means for writing. */
import type { KubeClient } from '../kube/client.ts';
import { KubeError } from '../kube/errors.ts';
import { createLeaderElection, type LeaderElection } from '../kube/lease.ts';
import type { Context } from './context.ts';
import { createLeaseLog } from './lease-log.ts';

/** The election that the settings ask for. `onLost`: another replica may be the leader from now on. */
export function createElection(
  { settings, log, metrics, client }: Context,
  identity: string,
  onLost: () => void,
): LeaderElection {
  const namespace = settings.leaseNamespace || client.namespace || 'default';
  const lease = `${namespace}/${settings.leaseName}`;
  const leaseLog = createLeaseLog(log, lease);
  const leader = (value: 0 | 1): void => metrics.leader.set({ name: settings.leaseName }, value);
  leader(0);
  return createLeaderElection({
    client,
    namespace,
    name: settings.leaseName,
    identity,
    onEvent: (event) => {
      switch (event.kind) {
        case 'acquired':
          leader(1);
          log.info({ lease, identity }, 'acquired the lease');
          break;
        case 'standby':
          log.info({ lease, holder: event.holder }, 'standby: another replica holds the lease');
          break;
        case 'lost':
          leader(0);
          log.error({ lease }, 'lease lost: this process ends, so that it writes nothing more');
          onLost();
          break;
        case 'failed':
          leaseLog.failed(event.error);
          break;
        case 'recovered':
          leaseLog.recovered();
          break;
      }
    },
  });
}

/**
 * A client that writes only under the lease: each write is checked as it is dispatched, and one that then waits for a
 * connection is given up when the lease may have passed on. Both are KubeErrors: the loop that renews the lease can take
 * seconds to notice, and until then a reconcile must not take them for unexpected.
 */
export function whileLeading(client: KubeClient, election: LeaderElection): KubeClient {
  return {
    ...client,
    request: async (request) => {
      if (request.method === 'GET') return client.request(request);
      const leftMs = Math.floor(election.writableForMs());
      if (leftMs <= 0) throw notWritten('not the leader: nothing is written');
      const passedOn = new AbortController();
      // AbortSignal.timeout would stay until it fires, however soon the write has ended.
      const timer = setTimeout(() => passedOn.abort(notWritten('the lease may have passed on')), leftMs);
      try {
        const signal =
          request.signal === undefined ? passedOn.signal : AbortSignal.any([request.signal, passedOn.signal]);
        return await client.request({ ...request, signal });
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

const notWritten = (message: string): KubeError => new KubeError(message, { status: 0 });
