{{- define "aware-api.name" -}}
api
{{- end -}}

{{- define "aware-api.host" -}}
{{- .Values.host | default (printf "api.%s" .Values.domain) -}}
{{- end -}}

{{- define "aware-api.port" -}}
3001
{{- end -}}

{{- define "aware-api.tag" -}}
{{- .Values.image.tag | default (ternary .Chart.AppVersion "" (empty .Values.image.digest)) -}}
{{- end -}}

{{- define "aware-api.image" -}}
{{- with .Values.image.registry }}{{ . }}/{{ end -}}
{{- .Values.image.repository -}}
{{- with include "aware-api.tag" . }}:{{ . }}{{ end -}}
{{- with .Values.image.digest }}@{{ . }}{{ end -}}
{{- end -}}

{{- define "aware-api.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "aware-api.name" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{- /* Fewest pods that there may be. */ -}}
{{- define "aware-api.minReplicas" -}}
{{- ternary .Values.autoscaling.minReplicas .Values.replicas .Values.autoscaling.enabled | int -}}
{{- end -}}

{{- /* Never changes: a Deployment's selector is immutable. */ -}}
{{- define "aware-api.selector" -}}
app: api
{{- end -}}

{{- /* Takes: context, value of the label app. */ -}}
{{- define "aware-api.ownLabels" -}}
{{- $context := index . 0 -}}
app: {{ index . 1 }}
app.kubernetes.io/name: {{ $context.Chart.Name }}
app.kubernetes.io/instance: {{ $context.Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
app.kubernetes.io/part-of: aware
{{- end -}}

{{- /* Without chart and version: a new chart alone must not restart pods. Takes: context, app. */ -}}
{{- define "aware-api.podLabels" -}}
{{- $context := index . 0 -}}
{{- include "aware-api.ownLabels" . }}
wareit.ai/database-client: "true"
{{- with merge (dict) $context.Values.podLabels $context.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "aware-api.labels" -}}
{{- $context := index . 0 -}}
{{- include "aware-api.ownLabels" . }}
app.kubernetes.io/managed-by: {{ $context.Release.Service }}
{{- with include "aware-api.tag" $context }}
app.kubernetes.io/version: {{ trunc 63 . | trimAll "-_." | quote }}
{{- end }}
helm.sh/chart: {{ printf "%s-%s" $context.Chart.Name $context.Chart.Version | replace "+" "_" | trunc 63 }}
{{- with $context.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* Takes: context, name, annotations of this object, and may take another app than api. */ -}}
{{- define "aware-api.metadata" -}}
{{- $context := index . 0 -}}
{{- $app := "api" -}}
{{- if gt (len .) 3 }}{{ $app = index . 3 }}{{ end -}}
name: {{ index . 1 }}
namespace: {{ $context.Release.Namespace }}
labels:
  {{- include "aware-api.labels" (list $context $app) | nindent 2 }}
{{- with merge (dict) (index . 2) $context.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "aware-api.probe" -}}
{{- if .enabled -}}
{{- $probe := omit . "enabled" "path" -}}
{{- if .path -}}
{{- $_ := set $probe "httpGet" (dict "path" .path "port" "http") -}}
{{- else -}}
{{- $_ := set $probe "tcpSocket" (dict "port" "http") -}}
{{- end -}}
{{- toYaml $probe -}}
{{- end -}}
{{- end -}}
