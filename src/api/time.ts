/** Timestamps as Kubernetes writes them. */

/** metav1.Time of milliseconds since the epoch: to the second, as `2026-01-31T09:30:00Z`. */
export const kubeTime = (milliseconds: number): string =>
  new Date(milliseconds).toISOString().replace(/\.\d{3}Z$/, 'Z');
