/** There is no kubeconfig and this is no pod, or the kubeconfig cannot be used. The message says what to do, and repeats no value. */
export class KubeConfigError extends Error {
  override readonly name = 'KubeConfigError';
}
