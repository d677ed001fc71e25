{{/* Name of the chart in labels. */}}
{{- define "legacy-restore-operator.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Name of the objects. Shorter than the 63 characters of a label, to leave space for suffixes. */}}
{{- define "legacy-restore-operator.fullname" -}}
{{- $name := include "legacy-restore-operator.name" . }}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) }}
{{- .Values.fullnameOverride | default $full | trunc 45 | trimSuffix "-" }}
{{- end }}

{{/* Namespace of the objects. */}}
{{- define "legacy-restore-operator.namespace" -}}
{{- .Values.namespaceOverride | default .Release.Namespace }}
{{- end }}

{{- define "legacy-restore-operator.serviceAccountName" -}}
{{- $created := ternary (include "legacy-restore-operator.fullname" .) "default" (eq (toString (.Values.serviceAccount).create) "true") }}
{{- (.Values.serviceAccount).name | default $created }}
{{- end }}

{{/* Selects objects of the release. Never change it: the selector of a Deployment is immutable. */}}
{{- define "legacy-restore-operator.instanceLabels" -}}
app.kubernetes.io/name: {{ include "legacy-restore-operator.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{/* Selects the operator's pods. Without the component, the Service would also select the pod of `helm test`. */}}
{{- define "legacy-restore-operator.selectorLabels" -}}
{{ include "legacy-restore-operator.instanceLabels" . }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "legacy-restore-operator.labels" -}}
{{- include "legacy-restore-operator.labelsWith" (dict "root" .) }}
{{- end }}

{{/*
Labels of an object, each key once: the chart's own win over those of the object, which win over commonLabels.
  root, own (what only this object has of the chart), extra (what the values give this object)
*/}}
{{- define "legacy-restore-operator.labelsWith" -}}
{{- $shared := include "legacy-restore-operator.ownLabels" .root | fromYaml }}
{{- merge (dict) (.own | default dict) $shared (.extra | default dict) (.root.Values.commonLabels | default dict) | toYaml }}
{{- end }}

{{- define "legacy-restore-operator.ownLabels" -}}
{{ include "legacy-restore-operator.instanceLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* global.imageRegistry takes the place of the registry in image.repository. */}}
{{- define "legacy-restore-operator.image" -}}
{{- $repository := (.Values.image).repository }}
{{- with (.Values.global).imageRegistry }}
{{- $repository = printf "%s/%s" (trimSuffix "/" .) (regexReplaceAll "^([^/]*[.:][^/]*|localhost)/" $repository "") }}
{{- end }}
{{- with .Values.image }}
{{- if .digest }}{{ $repository }}@{{ .digest }}{{ else }}{{ $repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{/* Secrets with registry credentials: those of this chart and those of the parent chart, which may be bare names. */}}
{{- define "legacy-restore-operator.imagePullSecrets" -}}
{{- $secrets := .Values.imagePullSecrets | default list }}
{{- range (.Values.global).imagePullSecrets }}
{{- $secrets = append $secrets (ternary (dict "name" .) . (kindIs "string" .)) }}
{{- end }}
{{- with $secrets | uniq }}
{{- toYaml . }}
{{- end }}
{{- end }}

{{- define "legacy-restore-operator.leaseName" -}}
{{- (.Values.leaderElection).leaseName | default (include "legacy-restore-operator.fullname" .) }}
{{- end }}

{{- define "legacy-restore-operator.leaseNamespace" -}}
{{- (.Values.leaderElection).leaseNamespace | default (include "legacy-restore-operator.namespace" .) }}
{{- end }}

{{/* An environment variable; a large number would become 1e+06 without int64. */}}
{{- define "legacy-restore-operator.variable" -}}
- name: {{ .name }}
  value: {{ ternary (int64 .value | toString) (.value | toString) (kindIs "float64" .value) | quote }}
{{- end }}

{{/* What the operator may do in each namespace that it watches. */}}
{{- define "legacy-restore-operator.rules" -}}
- apiGroups: [atlasrestore.dev]
  resources: [legacyrestorejobs]
  verbs: [get, list, watch]
- apiGroups: [atlasrestore.dev]
  resources: [legacyrestorejobs/status]
  verbs: [patch]
# The Secrets that resources name, each by its name.
- apiGroups: [""]
  resources: [secrets]
  {{- with (.Values.rbac).secretNames }}
  resourceNames:
    {{- $written := list }}
    {{- if ($.Values.deliverySecrets).enabled }}
    {{- $written = ($.Values.deliverySecrets).secretNames }}
    {{- end }}
    {{- concat . $written | uniq | toYaml | nindent 4 }}
  {{- end }}
  verbs: [get]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}

{{/* Additional rules for spec.deliverySecretName. Kubernetes cannot restrict `create` to names. */}}
{{- define "legacy-restore-operator.deliverySecretsRules" -}}
{{- if (.Values.deliverySecrets).secretNames -}}
- apiGroups: [""]
  resources: [secrets]
  verbs: [create]
- apiGroups: [""]
  resources: [secrets]
  resourceNames:
    {{- toYaml (.Values.deliverySecrets).secretNames | nindent 4 }}
  verbs: [patch]
{{- else -}}
- apiGroups: [""]
  resources: [secrets]
  verbs: [create, patch]
{{- end }}
{{- end }}

{{/* The service account as the subject of a binding. */}}
{{- define "legacy-restore-operator.subjects" -}}
- kind: ServiceAccount
  name: {{ include "legacy-restore-operator.serviceAccountName" . | quote }}
  namespace: {{ include "legacy-restore-operator.namespace" . | quote }}
{{- end }}

{{/*
Rules and their binding: for all namespaces, or a Role in each of those that are given.
  root, name, rules (YAML), namespaces (a list)
*/}}
{{- define "legacy-restore-operator.grant" -}}
{{- $grant := . }}
{{- range $namespace := .namespaces | default (list "") }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ ternary "Role" "ClusterRole" (ne $namespace "") }}
metadata:
  name: {{ $grant.name | quote }}
  {{- with $namespace }}
  namespace: {{ . | quote }}
  {{- end }}
  labels:
    {{- include "legacy-restore-operator.labels" $grant.root | nindent 4 }}
rules:
  {{- $grant.rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ ternary "RoleBinding" "ClusterRoleBinding" (ne $namespace "") }}
metadata:
  name: {{ $grant.name | quote }}
  {{- with $namespace }}
  namespace: {{ . | quote }}
  {{- end }}
  labels:
    {{- include "legacy-restore-operator.labels" $grant.root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ ternary "Role" "ClusterRole" (ne $namespace "") }}
  name: {{ $grant.name | quote }}
subjects:
  {{- include "legacy-restore-operator.subjects" $grant.root | nindent 2 }}
{{- end }}
{{- end }}

{{/* Milliseconds of a Go-style duration, whose form the schema has checked. */}}
{{- define "legacy-restore-operator.milliseconds" -}}
{{- $units := dict "ns" 0.000001 "us" 0.001 "µs" 0.001 "ms" 1.0 "s" 1000.0 "m" 60000.0 "h" 3600000.0 }}
{{- $total := 0.0 }}
{{- range regexFindAll "[0-9]+(\\.[0-9]+)?(ns|us|µs|ms|s|m|h)" . -1 }}
{{- $unit := regexReplaceAll "[0-9.]" . "" }}
{{- $total = addf $total (mulf (trimSuffix $unit . | float64) (get $units $unit)) }}
{{- end }}
{{- $total }}
{{- end }}

{{/* The grammar of a label selector, as src/config/values.ts has it. */}}
{{- define "legacy-restore-operator.labelSelectorPattern" -}}
{{- $space := "[ \\t\\r\\n]*" }}
{{- $name := "[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?" }}
{{- $dnsLabel := "[a-z0-9]([-a-z0-9]*[a-z0-9])?" }}
{{- $key := printf "(%s(\\.%s)*/)?%s" $dnsLabel $dnsLabel $name }}
{{- $value := printf "%s(%s%s)?" $space $name $space }}
{{- $exact := printf "%s(==?|!=)%s" $space $value }}
{{- $compared := printf "%s[<>]%s[0-9]{1,18}%s" $space $space $space }}
{{- $set := printf "[ \\t\\r\\n]%s(not)?in%s\\(%s(,%s)*\\)%s" $space $space $value $value $space }}
{{- $requirement := printf "%s(!%s%s%s|%s(%s|%s|%s|%s))" $space $space $key $space $key $space $exact $compared $set }}
{{- printf "^(%s(,%s)*)?$" $requirement $requirement }}
{{- end }}

{{/* Settings that the operator refuses at startup, and the schema cannot: sums of a duration, and parts of a path. */}}
{{- define "legacy-restore-operator.settingProblems" -}}
{{- $bounds := dict "atlasTimeout" (list 100.0 600000.0 "100ms to 10m") "defaultInterval" (list 10000.0 86400000.0 "10s to 24h") }}
{{- range $name, $bound := $bounds }}
{{- with get ($.Values.settings | default dict) $name }}
{{- $milliseconds := include "legacy-restore-operator.milliseconds" . | float64 }}
{{- if or (lt $milliseconds (index $bound 0)) (gt $milliseconds (index $bound 1)) }}
{{- fail (printf "settings.%s must be a duration from %s, such as 90s or 1h30m" $name (index $bound 2)) }}
{{- end }}
{{- end }}
{{- end }}
{{- with (.Values.settings).atlasBaseUrl }}
{{- if regexMatch "^/+api(/|$)|/api/+(atlas|public|oauth)(/|$)" (regexReplaceAll "^https?://[^/]*" . "") }}
{{- fail "settings.atlasBaseUrl must not contain the path of the API, such as /api/atlas/v1.0" }}
{{- end }}
{{- end }}
{{- if not (regexMatch (include "legacy-restore-operator.labelSelectorPattern" .) (.Values.labelSelector | default "")) }}
{{- fail "labelSelector must be a Kubernetes label selector, such as shard=a, shard in (a,b) or !shard" }}
{{- end }}
{{- end }}

{{/* Which API is asked, and where. What is null comes from elsewhere. */}}
{{- define "legacy-restore-operator.addressProblems" -}}
{{- $isAtlas := and .atlasApi (ne .atlasApi "public/v1.0") }}
{{- if and .atlasAllowPlainHttp $isAtlas }}
{{- fail "settings.atlasAllowPlainHttp needs settings.atlasApi: public/v1.0" }}
{{- end }}
{{- $isRefused := or $isAtlas (eq (toString .atlasAllowPlainHttp) "false") }}
{{- $isLoopback := regexMatch "^http://(localhost|127([.][0-9]+){3}|[[]::1])(:|/|$)" (toString .atlasBaseUrl) }}
{{- if and $isRefused (hasPrefix "http://" (toString .atlasBaseUrl)) (not $isLoopback) }}
{{- fail "settings.atlasBaseUrl must be https, except for loopback hosts, or for an Ops Manager with settings.atlasAllowPlainHttp" }}
{{- end }}
{{- end }}

{{/* Values that are valid alone but not together. */}}
{{- define "legacy-restore-operator.contradictions" -}}
{{- include "legacy-restore-operator.addressProblems" (.Values.settings | default dict) }}
{{- if and (gt (int .Values.replicaCount) 1) (not (.Values.leaderElection).enabled) }}
{{- fail "replicaCount is more than 1, which needs leaderElection.enabled: without it all replicas would ask Atlas and write status" }}
{{- end }}
{{- with .Values.defaultCredentials }}
{{- if and .secretName (not .namespaces) }}
{{- fail "defaultCredentials.secretName needs defaultCredentials.namespaces: who may use them" }}
{{- end }}
{{- if and .namespaces (not .secretName) }}
{{- fail "defaultCredentials.namespaces needs defaultCredentials.secretName: what they may use" }}
{{- end }}
{{- end }}
{{- if and (.Values.rbac).secretNames (.Values.deliverySecrets).enabled (not (.Values.deliverySecrets).secretNames) }}
{{- fail "rbac.secretNames needs deliverySecrets.secretNames: the operator reads the Secrets that it updates" }}
{{- end }}
{{- if .Values.namespaces }}
{{- range (.Values.deliverySecrets).namespaces }}
{{- if not (has . $.Values.namespaces) }}
{{- fail (printf "deliverySecrets.namespaces names %s, which is not among namespaces: the operator does not watch it" .) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
