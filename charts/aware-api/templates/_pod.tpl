{{- /* What the pods of the API and of its migrations share. */ -}}

{{- define "aware-api.podFields" -}}
enableServiceLinks: false
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- range $field := list "imagePullSecrets" "nodeSelector" "tolerations" "affinity" }}
{{- with get $.Values $field }}
{{ $field }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with include "aware-api.volumes" . }}
volumes:
  {{- . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "aware-api.env" -}}
- name: DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ .Values.secrets.name }}
      key: database-url
- name: JWT_SECRET
  valueFrom:
    secretKeyRef:
      name: {{ .Values.secrets.name }}
      key: jwt-secret
{{- range $key, $value := .Values.env }}
- name: {{ $key }}
  value: {{ $value | quote }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "aware-api.volumes" -}}
{{- $volumes := list -}}
{{- range $name, $dir := .Values.emptyDirs -}}
{{- $volumes = append $volumes (dict "name" $name "emptyDir" (dict "sizeLimit" $dir.sizeLimit)) -}}
{{- end -}}
{{- with .Values.database.caConfigMap -}}
{{- $volumes = append $volumes (dict "name" "postgres-ca" "configMap" (dict "name" .)) -}}
{{- end -}}
{{- with concat $volumes .Values.volumes }}{{ toYaml . }}{{ end -}}
{{- end -}}

{{- define "aware-api.volumeMounts" -}}
{{- $mounts := list -}}
{{- range $name, $dir := .Values.emptyDirs -}}
{{- $mounts = append $mounts (dict "name" $name "mountPath" $dir.mountPath) -}}
{{- end -}}
{{- if .Values.database.caConfigMap -}}
{{- $mounts = append $mounts (dict "name" "postgres-ca" "mountPath" "/etc/postgres-ca" "readOnly" true) -}}
{{- end -}}
{{- with concat $mounts .Values.volumeMounts }}{{ toYaml . }}{{ end -}}
{{- end -}}
