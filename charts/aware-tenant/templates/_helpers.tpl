{{- define "aware-tenant.slug" -}}
{{- .Values.slug | default (trimPrefix "tenant-" .Release.Name) -}}
{{- end -}}

{{- define "aware-tenant.name" -}}
tenant-{{ include "aware-tenant.slug" . }}
{{- end -}}

{{- define "aware-tenant.host" -}}
{{- .Values.host | default (printf "%s.%s" (include "aware-tenant.slug" .) .Values.domain) -}}
{{- end -}}

{{- define "aware-tenant.port" -}}
18789
{{- end -}}

{{- define "aware-tenant.tag" -}}
{{- .Values.image.tag | default (ternary .Chart.AppVersion "" (empty .Values.image.digest)) -}}
{{- end -}}

{{- define "aware-tenant.image" -}}
{{- with .Values.image.registry }}{{ . }}/{{ end -}}
{{- .Values.image.repository -}}
{{- with include "aware-tenant.tag" . }}:{{ . }}{{ end -}}
{{- with .Values.image.digest }}@{{ . }}{{ end -}}
{{- end -}}

{{- define "aware-tenant.tokenSecret" -}}
{{- .Values.token.existingSecret | default (printf "%s-token" (include "aware-tenant.name" .)) -}}
{{- end -}}

{{- define "aware-tenant.claim" -}}
{{- .Values.persistence.existingClaim | default (printf "%s-data" (include "aware-tenant.name" .)) -}}
{{- end -}}

{{- define "aware-tenant.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "aware-tenant.name" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{- /* Never changes: a Deployment's selector is immutable. */ -}}
{{- define "aware-tenant.selector" -}}
tenant: {{ include "aware-tenant.slug" . | quote }}
{{- end -}}

{{- define "aware-tenant.ownLabels" -}}
app: tenant
tenant: {{ include "aware-tenant.slug" . | quote }}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: gateway
app.kubernetes.io/part-of: aware
{{- end -}}

{{- /* Without chart and version: a new chart alone must not restart pods. */ -}}
{{- define "aware-tenant.podLabels" -}}
{{- include "aware-tenant.ownLabels" . }}
{{- with merge (dict) .Values.podLabels .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "aware-tenant.labels" -}}
{{- include "aware-tenant.ownLabels" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with include "aware-tenant.tag" . }}
app.kubernetes.io/version: {{ trunc 63 . | trimAll "-_." | quote }}
{{- end }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* Takes: context, name, annotations of this object. */ -}}
{{- define "aware-tenant.metadata" -}}
{{- $context := index . 0 -}}
name: {{ index . 1 }}
namespace: {{ $context.Release.Namespace }}
labels:
  {{- include "aware-tenant.labels" $context | nindent 2 }}
{{- with merge (dict) (index . 2) $context.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "aware-tenant.strategy" -}}
{{- .Values.strategy.type | default (ternary "Recreate" "RollingUpdate" .Values.persistence.enabled) -}}
{{- end -}}

{{- define "aware-tenant.config" -}}
{{- $text := toYaml .Values.gateway.config -}}
{{- if contains "{{" $text }}{{ $text = tpl $text . }}{{ end -}}
{{- fromYaml $text | toPrettyJson -}}
{{- end -}}

{{- define "aware-tenant.probe" -}}
{{- if .enabled -}}
{{- $probe := omit . "enabled" "exec" "httpGet" -}}
{{- $command := dig "exec" "command" "" . -}}
{{- if $command -}}
{{- $_ := set $probe "exec" (dict "command" $command) -}}
{{- else -}}
{{- $_ := set $probe "httpGet" (merge (dict) .httpGet (dict "port" "http")) -}}
{{- end -}}
{{- toYaml $probe -}}
{{- end -}}
{{- end -}}
