/** Timestamps as Kubernetes writes them. */

/** metav1.MicroTime of milliseconds since the epoch: the API server refuses other than six fractional digits. */
export const kubeMicroTime = (milliseconds: number): string =>
  new Date(milliseconds).toISOString().replace(/Z$/, '000Z');
