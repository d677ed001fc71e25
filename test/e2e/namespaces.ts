/** The label by which all that a run has left can be removed. */
export const MARK = 'atlasrestore.dev/e2e';

/** A namespace of the run. */
export function namespaceOf(name: string, labels: Readonly<Record<string, string>> = {}): object {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: { ...labels, [MARK]: '' } } };
}
