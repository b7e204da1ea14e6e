{{- define "platform.backupStore" -}}
{{- if eq .Values.backups.store "s3" -}}
s3://{{ .Values.backups.s3.bucket }}{{ with .Values.backups.s3.prefix }}/{{ . }}{{ end }}
{{- else -}}
volume postgres-backups ({{ .Values.backups.volume.size }})
{{- end -}}
{{- end -}}

{{- /* Whether this pod speaks to Amazon with a role of the cluster's. */ -}}
{{- define "platform.backupCredentials" -}}
{{- if eq .Values.backups.store "s3" }}{{ .Values.backups.s3.credentials }}{{ end -}}
{{- end -}}

{{- /* The ports of S3, and of the service that a role's token is shown to. */ -}}
{{- define "platform.s3Ports" -}}
{{- $port := "443" -}}
{{- with .Values.backups.s3.endpoint -}}
{{- $port = regexFind "[0-9]+$" . | default (ternary "443" "80" (hasPrefix "https://" .)) -}}
{{- end -}}
{{- range list $port (ternary "443" $port (eq .Values.backups.s3.credentials "irsa")) | uniq }}
- port: {{ . }}
{{- end }}
{{- end -}}

{{- /* Takes: context, name, script, arguments, environment, mounts, and whether the image is the one
of the AWS command line. */ -}}
{{- define "platform.backupContainer" -}}
{{- $context := index . 0 -}}
{{- $isAws := index . 6 -}}
{{- $image := ternary $context.Values.backups.awsImage $context.Values.postgres.image $isAws -}}
- name: {{ index . 1 }}
  image: {{ include "platform.image" $image }}
  imagePullPolicy: {{ $image.pullPolicy }}
  command:
    - bash
    - /scripts/{{ index . 2 }}
    {{- range index . 3 }}
    - {{ . }}
    {{- end }}
  env:
    - name: HOME
      value: /tmp
    - name: WORK_DIR
      value: /work
    {{- range $pair := index . 4 }}
    - name: {{ index $pair 0 }}
      value: {{ index $pair 1 | toString | quote }}
    {{- end }}
  resources:
    {{- toYaml $context.Values.backups.resources | nindent 4 }}
  securityContext:
    {{- include "platform.securityContext" $context | nindent 4 }}
  {{- /* So that the last lines say why a Job failed. */}}
  terminationMessagePolicy: FallbackToLogsOnError
  volumeMounts:
    - name: scripts
      mountPath: /scripts
      readOnly: true
    - name: work
      mountPath: /work
    - name: tmp
      mountPath: /tmp
    {{- with index . 5 }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{- /* A container that speaks to Postgres. Takes: context, name, script. */ -}}
{{- define "platform.databaseContainer" -}}
{{- $context := index . 0 -}}
{{- $env := list (list "DATABASE_URL_FILE" "/secrets/aware/database-url") -}}
{{- $mounts := list (dict "name" "database-url" "mountPath" "/secrets/aware" "readOnly" true) -}}
{{- if $context.Values.postgres.enabled -}}
{{- $env = append $env (list "ADMIN_PASSWORD_FILE" "/secrets/postgres/postgres") -}}
{{- $mounts = append $mounts (dict "name" "admin-password" "mountPath" "/secrets/postgres" "readOnly" true) -}}
{{- else -}}
{{- $env = concat $env (list (list "PGSSLMODE" "verify-full") (list "PGSSLROOTCERT" "/etc/postgres-ca/ca.crt")) -}}
{{- $mounts = append $mounts (dict "name" "postgres-ca" "mountPath" "/etc/postgres-ca" "readOnly" true) -}}
{{- end -}}
{{- include "platform.backupContainer" (list $context (index . 1) (index . 2) list $env $mounts false) -}}
{{- end -}}

{{- /* A container that speaks to the store. Takes: context, name, arguments, whether it only reads. */ -}}
{{- define "platform.storeContainer" -}}
{{- $context := index . 0 -}}
{{- $isS3 := eq $context.Values.backups.store "s3" -}}
{{- $env := list -}}
{{- if not (index . 3) -}}
{{- $env = list (list "KEEP_DAYS" (int $context.Values.backups.keepDays)) (list "KEEP_AT_LEAST" (int $context.Values.backups.keepAtLeast)) -}}
{{- end -}}
{{- $mounts := list -}}
{{- if $isS3 -}}
{{- with $context.Values.backups.s3 -}}
{{- $env = concat $env (list (list "S3_BUCKET" .bucket) (list "S3_PREFIX" .prefix) (list "AWS_REGION" .region)) -}}
{{- if .endpoint }}{{ $env = append $env (list "AWS_ENDPOINT_URL" .endpoint) }}{{ end -}}
{{- if eq .credentials "secret" -}}
{{- $env = append $env (list "AWS_SHARED_CREDENTIALS_FILE" "/secrets/s3/credentials") -}}
{{- $mounts = append $mounts (dict "name" "s3-credentials" "mountPath" "/secrets/s3" "readOnly" true) -}}
{{- end -}}
{{- if ne .credentials "instanceRole" }}{{ $env = append $env (list "AWS_EC2_METADATA_DISABLED" "true") }}{{ end -}}
{{- end -}}
{{- else -}}
{{- $env = append $env (list "BACKUP_DIR" "/backups") -}}
{{- $mounts = append $mounts (dict "name" "backups" "mountPath" "/backups" "readOnly" (index . 3)) -}}
{{- end -}}
{{- include "platform.backupContainer" (list $context (index . 1) (ternary "storage-s3.sh" "storage-volume.sh" $isS3) (index . 2) $env $mounts $isS3) -}}
{{- end -}}

{{- /* Takes a map: context, usesDatabase, usesStore, and whether all keys of the URL's Secret are
there and not the URL alone (allKeys). */ -}}
{{- define "platform.backupVolumes" -}}
{{- $context := .context -}}
- name: scripts
  configMap:
    name: postgres-scripts
    defaultMode: 0555
- name: work
  emptyDir:
    sizeLimit: {{ $context.Values.backups.workVolumeSize }}
- name: tmp
  emptyDir:
    sizeLimit: 64Mi
{{- if .usesDatabase }}
- name: database-url
  secret:
    secretName: aware-secrets
    defaultMode: 0440
    {{- if not .allKeys }}
    items:
      - key: database-url
        path: database-url
    {{- end }}
{{- if $context.Values.postgres.enabled }}
- name: admin-password
  secret:
    secretName: {{ include "platform.passwordSecret" $context }}
    defaultMode: 0440
    items:
      - key: postgres
        path: postgres
{{- else }}
- name: postgres-ca
  configMap:
    name: {{ $context.Values.externalDatabase.caConfigMap }}
{{- end }}
{{- end }}
{{- if not .usesStore }}
{{- else if eq $context.Values.backups.store "volume" }}
- name: backups
  persistentVolumeClaim:
    claimName: postgres-backups
{{- else if eq $context.Values.backups.s3.credentials "secret" }}
- name: s3-credentials
  secret:
    secretName: {{ $context.Values.backups.s3.existingSecret }}
    defaultMode: 0440
{{- end }}
{{- end -}}

{{- /* What the CronJobs share. Takes a map: context, app, retries, keepSeconds (of an ended Job),
usesDatabase, usesStore, schedule, suspend, steps (the containers), and may have retryRules and
allKeys. */ -}}
{{- define "platform.backupSchedule" -}}
{{- $context := .context -}}
{{- $client := dict "wareit.ai/database-client" "true" -}}
schedule: {{ .schedule | quote }}
timeZone: Etc/UTC
suspend: {{ .suspend }}
concurrencyPolicy: Forbid
{{- /* A node that was away at the time makes up for it. */}}
startingDeadlineSeconds: 21600
successfulJobsHistoryLimit: 3
failedJobsHistoryLimit: 3
jobTemplate:
  metadata:
    labels:
      {{- include "platform.podLabels" (list $context .app dict) | nindent 6 }}
  spec:
    backoffLimit: {{ .retries }}
    activeDeadlineSeconds: {{ int $context.Values.backups.deadlineSeconds }}
    ttlSecondsAfterFinished: {{ .keepSeconds }}
    {{- with .retryRules }}
    podFailurePolicy:
      rules:
        {{- . | nindent 8 }}
    {{- end }}
    template:
      metadata:
        labels:
          {{- include "platform.podLabels" (list $context .app $client) | nindent 10 }}
      spec:
        restartPolicy: Never
        serviceAccountName: postgres-backup
        {{- include "platform.podFields" (list $context $context.Values.backups) | nindent 8 }}
        {{- .steps | nindent 8 }}
        volumes:
          {{- include "platform.backupVolumes" . | nindent 10 }}
{{- end -}}

{{- /* A second backup at once ends with 75, and trying again would not help. */ -}}
{{- define "platform.backupRetryRules" -}}
- action: FailJob
  onExitCodes:
    containerName: dump
    operator: In
    values:
      - 75
- action: Ignore
  onPodConditions:
    - type: DisruptionTarget
      status: "True"
{{- end -}}

{{- define "platform.backupSteps" -}}
initContainers:
  {{- include "platform.databaseContainer" (list . "dump" "dump.sh") | nindent 2 }}
containers:
  {{- include "platform.storeContainer" (list . "store" (list "put") false) | nindent 2 }}
{{- end -}}

{{- define "platform.setPasswordSteps" -}}
containers:
  {{- include "platform.databaseContainer" (list . "set-password" "set-password.sh") | nindent 2 }}
{{- end -}}

{{- define "platform.listSteps" -}}
containers:
  {{- include "platform.storeContainer" (list . "list" (list "list") true) | nindent 2 }}
{{- end -}}

{{- define "platform.restoreSteps" -}}
initContainers:
  {{- include "platform.storeContainer" (list . "fetch" (list "get" "$(BACKUP_ID)") true) | nindent 2 }}
containers:
  {{- include "platform.databaseContainer" (list . "restore" "restore.sh") | nindent 2 }}
{{- end -}}
