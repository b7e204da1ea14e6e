{{- define "aware-tenant.volumes" -}}
{{- $volumes := list -}}
{{- range $name, $dir := .Values.emptyDirs -}}
{{- $volumes = append $volumes (dict "name" $name "emptyDir" (dict "sizeLimit" $dir.sizeLimit)) -}}
{{- end -}}
{{- if .Values.gateway.config -}}
{{- $volumes = append $volumes (dict "name" "config" "configMap" (dict "name" (include "aware-tenant.name" .))) -}}
{{- end -}}
{{- if .Values.persistence.enabled -}}
{{- $volumes = append $volumes (dict "name" "data" "persistentVolumeClaim" (dict "claimName" (include "aware-tenant.claim" .))) -}}
{{- end -}}
{{- with concat $volumes .Values.volumes }}{{ toYaml . }}{{ end -}}
{{- end -}}

{{- define "aware-tenant.volumeMounts" -}}
{{- $mounts := list -}}
{{- range $name, $dir := .Values.emptyDirs -}}
{{- $mounts = append $mounts (dict "name" $name "mountPath" $dir.mountPath) -}}
{{- end -}}
{{- if .Values.gateway.config -}}
{{- $mounts = append $mounts (dict "name" "config" "mountPath" "/etc/openclaw" "readOnly" true) -}}
{{- end -}}
{{- if .Values.persistence.enabled -}}
{{- $mounts = append $mounts (dict "name" "data" "mountPath" .Values.persistence.mountPath) -}}
{{- end -}}
{{- with concat $mounts .Values.volumeMounts }}{{ toYaml . }}{{ end -}}
{{- end -}}
