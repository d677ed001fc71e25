/** The Atlas credentials of the resources, in their Secrets and at Atlas, and what people do to them. */
import type { AtlasSimulator } from '../support/atlas-simulator/simulator.ts';
import { type Cluster, secretsOf } from './cluster.ts';
import type { Random } from './random.ts';

/** A Secret with credentials, and what they may read. */
export interface CredentialsSecret {
  readonly namespace: string;
  readonly name: string;
  readonly kind: 'apiKey' | 'serviceAccount';
  readonly groupId: string;
}

/** One Secret name in three namespaces, with different credentials in each; two projects that two of them can read. */
export const CREDENTIALS: readonly CredentialsSecret[] = [
  { namespace: 'payments', name: 'atlas-key', kind: 'apiKey', groupId: '5a66666887d9d61443b41645' },
  { namespace: 'orders', name: 'atlas-key', kind: 'apiKey', groupId: '5a66666887d9d61443b41645' },
  { namespace: 'shipping', name: 'atlas-key', kind: 'apiKey', groupId: '6b77777998e0e72554c52756' },
  { namespace: 'shipping', name: 'atlas-account', kind: 'serviceAccount', groupId: '6b77777998e0e72554c52756' },
];
export const NAMESPACES: readonly string[] = [...new Set(CREDENTIALS.map(({ namespace }) => namespace))];

export interface CredentialsKeeper {
  readonly createAll: () => Promise<void>;
  /** Atlas accepts only new ones from now on; `finish` puts them into the Secret. */
  readonly rotate: (secret: CredentialsSecret, random: Random) => { readonly finish: () => Promise<void> };
  readonly deleteSecret: (secret: CredentialsSecret) => Promise<void>;
  readonly createSecret: (secret: CredentialsSecret) => Promise<void>;
  /** The secret half is empty until `repair`. */
  readonly damage: (secret: CredentialsSecret) => Promise<void>;
  readonly repair: (secret: CredentialsSecret) => Promise<void>;
  /** All service accounts. */
  readonly clientIds: () => readonly string[];
}

/** The public half, which Atlas knows them by, and the secret one. */
interface Halves {
  readonly id: string;
  readonly secret: string;
}

export function createCredentials(cluster: Cluster, atlas: AtlasSimulator, seed: Random): CredentialsKeeper {
  const current = new Map<CredentialsSecret, Halves>();

  function halvesOf(secret: CredentialsSecret): Halves {
    const halves = current.get(secret);
    if (halves === undefined) throw new Error(`Secret ${secret.namespace}/${secret.name} has no credentials yet`);
    return halves;
  }

  /** New ones at Atlas, in place of those that it had. */
  function issue(secret: CredentialsSecret, random: Random): void {
    const previous = current.get(secret);
    const { kind, groupId } = secret;
    const id = kind === 'apiKey' ? random.hex(8) : `mdb_sa_id_${random.hex(24)}`;
    const halves = { id, secret: kind === 'apiKey' ? random.hex(32) : `mdb_sa_sk_${random.hex(40)}` };
    current.set(secret, halves);
    if (kind === 'apiKey') {
      if (previous !== undefined) atlas.removeApiKey(previous.id);
      atlas.addApiKey({ publicKey: halves.id, privateKey: halves.secret, groupIds: [groupId] });
    } else {
      if (previous !== undefined) atlas.removeServiceAccount(previous.id);
      atlas.addServiceAccount({ clientId: halves.id, clientSecret: halves.secret, groupIds: [groupId] });
    }
  }

  function dataOf(secret: CredentialsSecret, { id, secret: value }: Halves): Readonly<Record<string, string>> {
    return secret.kind === 'apiKey'
      ? { publicApiKey: id, privateApiKey: value }
      : { clientId: id, clientSecret: value };
  }

  const write = (secret: CredentialsSecret, halves: Halves): Promise<void> =>
    cluster.patch(secretsOf(secret.namespace), secret.name, { stringData: dataOf(secret, halves) });
  const createSecret = (secret: CredentialsSecret): Promise<void> =>
    cluster.create(secretsOf(secret.namespace), {
      metadata: { name: secret.name },
      stringData: dataOf(secret, halvesOf(secret)),
    });
  const repair = (secret: CredentialsSecret): Promise<void> => write(secret, halvesOf(secret));

  return {
    createAll: async () => {
      for (const secret of CREDENTIALS) {
        issue(secret, seed.fork(`${secret.namespace}/${secret.name}`));
        await createSecret(secret);
      }
    },
    rotate: (secret, random) => {
      issue(secret, random);
      return { finish: () => repair(secret) };
    },
    deleteSecret: (secret) => cluster.delete(secretsOf(secret.namespace), secret.name),
    createSecret,
    damage: (secret) => write(secret, { ...halvesOf(secret), secret: '' }),
    repair,
    clientIds: () => CREDENTIALS.filter(({ kind }) => kind === 'serviceAccount').map((secret) => halvesOf(secret).id),
  };
}
