{{- define "platform.validate" -}}
{{- $problems := list -}}
{{- $namespace := .Release.Namespace -}}

{{- with .Values.postgres -}}
{{- if .enabled -}}
{{- if not (or .image.tag .image.digest) -}}
{{- $problems = append $problems "postgres.image has neither tag nor digest: set the tag" -}}
{{- end -}}
{{- $major := regexFind "^[0-9]+" .image.tag -}}
{{- if and .image.tag (ne $major (int .majorVersion | toString)) -}}
{{- $problems = append $problems (printf "postgres.image.tag is %q and postgres.majorVersion is %d: take a tag that begins with %d, or see \"Another major version\" in the chart's README" .image.tag (int .majorVersion) (int .majorVersion)) -}}
{{- end -}}
{{- if $.Values.externalDatabase.host -}}
{{- $problems = append $problems "externalDatabase.host is set, and postgres.enabled is true: set postgres.enabled to false, or remove the host" -}}
{{- end -}}
{{- if $.Values.externalDatabase.caConfigMap -}}
{{- $problems = append $problems "externalDatabase.caConfigMap is set, and postgres.enabled is true: set postgres.enabled to false, or remove it" -}}
{{- end -}}
{{- else -}}
{{- with $.Values.externalDatabase -}}
{{- if not .host -}}
{{- $problems = append $problems "postgres.enabled is false and there is no other database: set externalDatabase.host" -}}
{{- else if regexMatch "^[0-9.]+$" .host -}}
{{- $problems = append $problems (printf "externalDatabase.host %q is an address, and a Service can only point to a name: use the database's host name" .host) -}}
{{- end -}}
{{- if not .caConfigMap -}}
{{- $problems = append $problems "externalDatabase.caConfigMap is empty, and without the authorities' certificates nobody knows that it is your database: put them in a ConfigMap under the key ca.crt and name it" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- with .Values.backups -}}
{{- if and .enabled (eq .store "s3") -}}
{{- if not .s3.bucket -}}
{{- $problems = append $problems "backups.store is s3 and there is no bucket: set backups.s3.bucket" -}}
{{- end -}}
{{- if not .s3.region -}}
{{- $problems = append $problems "backups.store is s3 and there is no region: set backups.s3.region, with another S3 than Amazon's to what that one wants" -}}
{{- end -}}
{{- if and (eq .s3.credentials "secret") (not .s3.existingSecret) -}}
{{- $problems = append $problems "backups.s3.credentials is secret and no Secret is named: set backups.s3.existingSecret" -}}
{{- else if and .s3.existingSecret (ne .s3.credentials "secret") -}}
{{- $problems = append $problems (printf "backups.s3.existingSecret is set, and backups.s3.credentials is %s: set the latter to secret, or remove the Secret" .s3.credentials) -}}
{{- end -}}
{{- if and (eq .s3.credentials "irsa") (not .s3.roleArn) -}}
{{- $problems = append $problems "backups.s3.credentials is irsa and no role is named: set backups.s3.roleArn" -}}
{{- else if and .s3.roleArn (ne .s3.credentials "irsa") -}}
{{- $problems = append $problems (printf "backups.s3.roleArn is set, and backups.s3.credentials is %s: set the latter to irsa, or remove the role" .s3.credentials) -}}
{{- end -}}
{{- if not (or .awsImage.tag .awsImage.digest) -}}
{{- $problems = append $problems "backups.awsImage has neither tag nor digest: set the tag" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- if include "platform.issuesCertificate" . -}}
{{- with .Values.certificates -}}
{{- if hasPrefix "letsencrypt" .issuer -}}
{{- if not .email -}}
{{- $problems = append $problems (printf "certificates.issuer is %s and there is no address for it to write to: set certificates.email" .issuer) -}}
{{- end -}}
{{- if not .route53.hostedZoneId -}}
{{- $problems = append $problems (printf "certificates.issuer is %s and there is no zone to answer in: set certificates.route53.hostedZoneId" .issuer) -}}
{{- end -}}
{{- end -}}
{{- if and (eq .issuer "ca") (not .ca.existingSecret) -}}
{{- $problems = append $problems "certificates.issuer is ca and no authority is named: set certificates.ca.existingSecret" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- if and .Values.networkPolicy.enabled (or (hasPrefix "kube-" $namespace) (has $namespace (list .Values.traefik.namespace .Values.certManager.namespace))) -}}
{{- $problems = append $problems (printf "the release is in the namespace %s, and networkPolicy.enabled would cut off what else lives there: install it in a namespace of its own, such as aware" $namespace) -}}
{{- end -}}

{{- if $problems }}{{ fail (printf "\n\n%s.\n" (join ".\n" $problems)) }}{{ end -}}
{{- end -}}
