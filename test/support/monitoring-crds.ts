/**
 * CustomResourceDefinitions of the Prometheus operator, cut down to the members that the chart writes: the API server
 * then refuses what is misspelled. Source: https://prometheus-operator.dev/docs/api-reference/api/
 */

const object = (properties: object) => ({ type: 'object', properties });
const list = (items: object) => ({ type: 'array', items });
const text = { type: 'string' };
const texts = { type: 'object', additionalProperties: text };
const textOrNumber = { 'x-kubernetes-int-or-string': true };

const labelSelector = object({
  matchLabels: texts,
  matchExpressions: list(object({ key: text, operator: text, values: list(text) })),
});
const namespaceSelector = object({ any: { type: 'boolean' }, matchNames: list(text) });
const relabelings = list(
  object({
    action: text,
    modulus: { type: 'integer' },
    regex: text,
    replacement: text,
    separator: text,
    sourceLabels: list(text),
    targetLabel: text,
  }),
);
const endpoint = {
  port: text,
  path: text,
  scheme: text,
  interval: text,
  scrapeTimeout: text,
  honorLabels: { type: 'boolean' },
  relabelings,
  metricRelabelings: relabelings,
};
const rule = {
  alert: text,
  record: text,
  expr: textOrNumber,
  for: text,
  keep_firing_for: text,
  labels: texts,
  annotations: texts,
};

/** Ready to be applied. */
export const MONITORING_CRDS: readonly object[] = [
  crd('ServiceMonitor', {
    selector: labelSelector,
    namespaceSelector,
    jobLabel: text,
    targetLabels: list(text),
    endpoints: list(object(endpoint)),
  }),
  crd('PodMonitor', {
    selector: labelSelector,
    namespaceSelector,
    jobLabel: text,
    podTargetLabels: list(text),
    podMetricsEndpoints: list(object(endpoint)),
  }),
  crd('PrometheusRule', {
    groups: list(object({ name: text, interval: text, labels: texts, rules: list(object(rule)) })),
  }),
];

function crd(kind: string, spec: object): object {
  const plural = `${kind.toLowerCase()}s`;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.monitoring.coreos.com` },
    spec: {
      group: 'monitoring.coreos.com',
      names: { kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase() },
      scope: 'Namespaced',
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: object({ spec: object(spec) }) },
        },
      ],
    },
  };
}
