/** Messages of the Atlas client tell what to do in the operator's words; here they are told in those of the command line. */

/** The message with flags in place of the fields of a resource. */
export const forCommandLine = (message: string): string =>
  WORDS.reduce((text, [theirs, ours]) => text.replaceAll(theirs, ours), message);

const WORDS: ReadonlyArray<readonly [theirs: string, ours: string]> = [
  ['spec.groupId', '--group-id'],
  ['spec.clusterName', '--cluster-name'],
  ['spec.jobId', '--job-id'],
  ["the cluster's egress address", 'the address of this machine'],
  ['correct the Secret', 'correct the credentials'],
  ['Raise spec.interval of resources of this project, or lower --atlas-requests-per-minute.', 'Try again later.'],
  ['Upgrade the operator.', 'Upgrade legacy-restore-operator.'],
];
