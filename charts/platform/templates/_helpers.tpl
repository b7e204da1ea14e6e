{{- /* Takes an image's map. */ -}}
{{- define "platform.image" -}}
{{- with .registry }}{{ . }}/{{ end -}}
{{- .repository -}}
{{- with .tag }}:{{ . }}{{ end -}}
{{- with .digest }}@{{ . }}{{ end -}}
{{- end -}}

{{- define "platform.passwordSecret" -}}
{{- .Values.postgres.existingSecret | default "postgres-passwords" -}}
{{- end -}}

{{- define "platform.dataClaim" -}}
{{- .Values.postgres.persistence.existingClaim | default "data-postgres-0" -}}
{{- end -}}

{{- define "platform.dataVolume" -}}
/var/lib/postgresql
{{- end -}}

{{- /* Where the official image of 18 and newer keeps data; older ones are told to. */ -}}
{{- define "platform.dataFolder" -}}
{{ include "platform.dataVolume" . }}/{{ int .Values.postgres.majorVersion }}/docker
{{- end -}}

{{- define "platform.issuesCertificate" -}}
{{- if and .Values.certificates.enabled (not .Values.certificates.existingSecret) }}yes{{ end -}}
{{- end -}}

{{- define "platform.tlsSecret" -}}
{{- .Values.certificates.existingSecret | default .Values.certificates.secretName -}}
{{- end -}}

{{- define "platform.component" -}}
{{- get (dict "postgres" "database" "postgres-backup" "backup" "postgres-list-backups" "backup" "postgres-restore" "backup") . | default . -}}
{{- end -}}

{{- /* Takes: context, the app that the object belongs to. */ -}}
{{- define "platform.ownLabels" -}}
{{- $context := index . 0 -}}
app: {{ index . 1 }}
app.kubernetes.io/name: {{ $context.Chart.Name }}
app.kubernetes.io/instance: {{ $context.Release.Name | quote }}
app.kubernetes.io/component: {{ include "platform.component" (index . 1) }}
app.kubernetes.io/part-of: aware
{{- end -}}

{{- /* Takes: context, app, further labels. Without chart and version: a new chart alone must not
restart pods. */ -}}
{{- define "platform.podLabels" -}}
{{- include "platform.ownLabels" . }}
{{- with merge (dict) (index . 2) (index . 0).Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "platform.labels" -}}
{{- $context := index . 0 -}}
{{- include "platform.ownLabels" . }}
app.kubernetes.io/managed-by: {{ $context.Release.Service }}
app.kubernetes.io/version: {{ $context.Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" $context.Chart.Name $context.Chart.Version | replace "+" "_" | trunc 63 }}
{{- with $context.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* Takes: context, name, app, annotations of this object, and its namespace when that is not the
release's; an empty one for an object of the whole cluster. */ -}}
{{- define "platform.metadata" -}}
{{- $context := index . 0 -}}
{{- $namespace := $context.Release.Namespace -}}
{{- if gt (len .) 4 }}{{ $namespace = index . 4 }}{{ end -}}
name: {{ index . 1 }}
{{- with $namespace }}
namespace: {{ . }}
{{- end }}
labels:
  {{- include "platform.labels" (list $context (index . 2)) | nindent 2 }}
{{- with merge (dict) (index . 3) $context.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* Fields that every pod has. Takes: context, the values of its part. */ -}}
{{- define "platform.podFields" -}}
{{- $context := index . 0 -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with $context.Values.priorityClasses.platform }}
priorityClassName: {{ . }}
{{- end }}
{{- with $context.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- range $field := list "nodeSelector" "tolerations" "affinity" }}
{{- with get (index $ 1) $field }}
{{ $field }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  {{- /* The user postgres of the official image. */}}
  runAsUser: 999
  runAsGroup: 999
  fsGroup: 999
  {{- /* Never again over a whole volume: Postgres wants its folder for itself. */}}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- end -}}

{{- define "platform.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop:
    - ALL
{{- end -}}

{{- /* Takes a storage class. */ -}}
{{- define "platform.storageClass" -}}
{{- with . -}}
storageClassName: {{ ternary "" . (eq . "-") | quote }}
{{- end -}}
{{- end -}}

{{- define "platform.dnsRule" -}}
- to:
    {{- toYaml .Values.networkPolicy.dnsTo | nindent 4 }}
  ports:
    - port: 53
      protocol: UDP
    - port: 53
      protocol: TCP
{{- end -}}
