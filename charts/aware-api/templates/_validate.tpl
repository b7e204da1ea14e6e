{{- define "aware-api.validate" -}}
{{- $host := include "aware-api.host" . -}}
{{- $domain := .Values.domain -}}
{{- $problems := list -}}

{{- if not (or (eq $host $domain) (hasSuffix (printf ".%s" $domain) $host)) -}}
{{- $problems = append $problems (printf "host %q is outside domain %q: use a name below it, or change domain" $host $domain) -}}
{{- end -}}

{{- if and .Values.tls.certResolver .Values.tls.secretName -}}
{{- $problems = append $problems "tls.certResolver and tls.secretName are both set: keep one" -}}
{{- end -}}

{{- with .Values.autoscaling -}}
{{- if and .enabled (gt (int .minReplicas) (int .maxReplicas)) -}}
{{- $problems = append $problems (printf "autoscaling.minReplicas is %d, more than autoscaling.maxReplicas, which is %d: lower the one or raise the other" (int .minReplicas) (int .maxReplicas)) -}}
{{- end -}}
{{- if and .enabled (not (dig "requests" "cpu" "" $.Values.resources)) -}}
{{- $problems = append $problems "autoscaling.enabled needs resources.requests.cpu, of which it measures the use: set it" -}}
{{- end -}}
{{- end -}}

{{- if and (ne (.Values.strategy.type | default "RollingUpdate") "Recreate") (ge (int .Values.preStopSeconds) (int .Values.terminationGracePeriodSeconds | max 1)) -}}
{{- $problems = append $problems (printf "preStopSeconds is %d and leaves the API no time of terminationGracePeriodSeconds, which is %d: lower the one or raise the other" (int .Values.preStopSeconds) (int .Values.terminationGracePeriodSeconds)) -}}
{{- end -}}

{{- if and .Values.rbac.create (not .Values.serviceAccount.create) (not .Values.serviceAccount.name) -}}
{{- $problems = append $problems "rbac.create would give every pod of the namespace the API's rights, through the ServiceAccount default: name one in serviceAccount.name, or let it be created" -}}
{{- end -}}

{{- $env := keys .Values.env -}}
{{- range .Values.extraEnv }}{{ $env = append $env .name }}{{ end -}}
{{- if ne (len $env) (len (uniq $env)) -}}
{{- $problems = append $problems "env and extraEnv name the same variable twice: keep one" -}}
{{- end -}}
{{- range $name := list "DATABASE_URL" "JWT_SECRET" -}}
{{- if has $name $env -}}
{{- $problems = append $problems (printf "%s stands in env or extraEnv: put it in a Secret and name that in secrets.name" $name) -}}
{{- end -}}
{{- end -}}

{{- if $problems }}{{ fail (printf "\n\n%s.\n" (join ".\n" $problems)) }}{{ end -}}
{{- end -}}
