{{- /* The same list stands in values.schema.json, which sees no release name; a test compares. */ -}}
{{- define "aware-tenant.reserved" -}}
admin alertmanager api app auth autoconfig autodiscover billing blog cdn cert-manager console
dashboard dns docs ftp grafana help imap internal localhost login mail metrics mta-sts mx ns ns1 ns2 platform pop
postgres prometheus registry root smtp sso staging static status support system traefik webmail
wildcard wpad www
{{- end -}}

{{- define "aware-tenant.validate" -}}
{{- $slug := include "aware-tenant.slug" . -}}
{{- $host := include "aware-tenant.host" . -}}
{{- $domain := .Values.domain -}}
{{- $reserved := splitList " " (include "aware-tenant.reserved" . | replace "\n" " ") -}}
{{- $label := "[a-z0-9]([-a-z0-9]*[a-z0-9])?" -}}
{{- $problems := list -}}

{{- if not (or .Values.slug (hasPrefix "tenant-" .Release.Name)) -}}
{{- $problems = append $problems (printf "slug is empty and the release name %q does not start with \"tenant-\": set slug, or call the release tenant-<slug>" .Release.Name) -}}
{{- else if or (gt (len $slug) 40) (not (regexMatch (printf "^%s$" $label) $slug)) -}}
{{- $problems = append $problems (printf "slug %q is no DNS label: use 1 to 40 lower-case letters, digits and dashes, with a letter or digit at both ends" $slug) -}}
{{- else if has $slug $reserved -}}
{{- $problems = append $problems (printf "slug %q is reserved: choose another" $slug) -}}
{{- end -}}

{{- if not (regexMatch (printf "^(%s\\.)+%s$" $label $label) $host) -}}
{{- $problems = append $problems (printf "host %q is no host name: use lower-case letters, digits, dashes and dots" $host) -}}
{{- else if not (or (eq $host $domain) (hasSuffix (printf ".%s" $domain) $host)) -}}
{{- $problems = append $problems (printf "host %q is outside domain %q: use a name below it, or change domain" $host $domain) -}}
{{- else if and .Values.host (has (trimSuffix (printf ".%s" $domain) $host) $reserved) -}}
{{- $problems = append $problems (printf "host %q is reserved: choose another" $host) -}}
{{- end -}}

{{- if .Values.persistence.enabled -}}
{{- if gt (int .Values.replicas) 1 -}}
{{- $problems = append $problems (printf "replicas is %d, but a volume has one writer: use 0 or 1, or set persistence.enabled to false" (int .Values.replicas)) -}}
{{- end -}}
{{- if eq (.Values.strategy.type | default "Recreate") "RollingUpdate" -}}
{{- $problems = append $problems "strategy.type is RollingUpdate, but a volume has one writer: remove strategy, or set persistence.enabled to false" -}}
{{- end -}}
{{- end -}}

{{- if and .Values.tls.certResolver .Values.tls.secretName -}}
{{- $problems = append $problems "tls.certResolver and tls.secretName are both set: keep one" -}}
{{- end -}}

{{- range $name, $probe := .Values.probes -}}
{{- if and $probe.enabled (not (dig "exec" "command" "" $probe)) (not (dig "httpGet" "path" "" $probe)) -}}
{{- $problems = append $problems (printf "probes.%s has neither httpGet.path nor exec.command: set one, or set probes.%s.enabled to false" $name $name) -}}
{{- end -}}
{{- end -}}

{{- if and (eq (include "aware-tenant.strategy" .) "RollingUpdate") (ge (int .Values.preStopSeconds) (int .Values.terminationGracePeriodSeconds | max 1)) -}}
{{- $problems = append $problems (printf "preStopSeconds is %d and leaves the gateway no time of terminationGracePeriodSeconds, which is %d: lower the one or raise the other" (int .Values.preStopSeconds) (int .Values.terminationGracePeriodSeconds)) -}}
{{- end -}}

{{- $env := keys .Values.env -}}
{{- range .Values.extraEnv }}{{ $env = append $env .name }}{{ end -}}
{{- if ne (len $env) (len (uniq $env)) -}}
{{- $problems = append $problems "env and extraEnv name the same variable twice: keep one" -}}
{{- end -}}
{{- if has "OPENCLAW_GATEWAY_TOKEN" $env -}}
{{- $problems = append $problems "OPENCLAW_GATEWAY_TOKEN stands in env or extraEnv: put the token in a Secret and name it in token.existingSecret" -}}
{{- end -}}
{{- if and .Values.gateway.config (has "OPENCLAW_CONFIG_PATH" $env) -}}
{{- $problems = append $problems "OPENCLAW_CONFIG_PATH stands in env or extraEnv beside gateway.config: keep one" -}}
{{- end -}}
{{- range $key := list "token" "password" -}}
{{- $secret := dig "gateway" "auth" $key "" $.Values.gateway.config -}}
{{- if and $secret (kindIs "string" $secret) (not (hasPrefix "${" $secret)) -}}
{{- $problems = append $problems (printf "gateway.config holds gateway.auth.%s, and every revision would store it: put it in a Secret and name that in token.existingSecret or extraEnv" $key) -}}
{{- end -}}
{{- end -}}

{{- if $problems }}{{ fail (printf "\n\n%s.\n" (join ".\n" $problems)) }}{{ end -}}
{{- end -}}
