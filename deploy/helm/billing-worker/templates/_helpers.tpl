{{- define "worker.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Short enough for the longest suffix, which is "-prometheus-rules". */}}
{{- define "worker.fullname" -}}
{{- $name := include "worker.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 45 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 45 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 45 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "worker.selector" -}}
app.kubernetes.io/name: {{ include "worker.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: worker
{{- end -}}

{{/* Of everything but pods, whose component is given where they are. */}}
{{- define "worker.labels" -}}
app.kubernetes.io/name: {{ include "worker.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "worker.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "worker.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "worker.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* A value of the environment, as text: Helm reads every number as a float and would write 1e+06. */}}
{{- define "worker.text" -}}
{{- if kindIs "string" . }}{{ . | quote }}{{ else }}{{ . | toJson | quote }}{{ end -}}
{{- end -}}

{{/* Variables and the files that some of them name. Takes the two maps as `environment` and `files`. */}}
{{- define "worker.env" -}}
- name: BILLING_HTTP__HOST
  value: {{ default "0.0.0.0" (get .environment "BILLING_HTTP__HOST") | quote }}
{{- range $name, $value := omit .environment "BILLING_HTTP__HOST" }}
- name: {{ $name }}
  value: {{ include "worker.text" $value }}
{{- end }}
{{- range $name, $_ := .files }}
- name: {{ $name }}
  value: /etc/billing-worker/{{ $name }}
{{- end }}
{{- end -}}

{{- define "worker.volumeMounts" -}}
{{- if .files -}}
volumeMounts:
  - name: files
    mountPath: /etc/billing-worker
    readOnly: true
{{- end -}}
{{- end -}}

{{/* Not as subPath: those never see a change. Readable for the group, which is the worker's (fsGroup). */}}
{{- define "worker.volumes" -}}
{{- if .files -}}
volumes:
  - name: files
    projected:
      defaultMode: 0440
      sources:
        {{- range $name, $from := .files }}
        - {{ if $from.secret }}secret{{ else }}configMap{{ end }}:
            name: {{ default $from.configMap $from.secret }}
            items:
              - key: {{ $from.key | quote }}
                path: {{ $name }}
        {{- end }}
{{- end -}}
{{- end -}}

{{/* The user is the image's, said again for those who check. */}}
{{- define "worker.podSecurity" -}}
automountServiceAccountToken: false
# A service named billing-… would give pods variables of that name, which are no settings.
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "worker.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end -}}

{{- define "worker.placement" -}}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{/* Partitions of the topic of commands, as the settings declare them. */}}
{{- define "worker.partitions" -}}
{{- $all := get .Values.environment "BILLING_TOPICS__PARTITIONS" | default 12 -}}
{{- get .Values.environment "BILLING_TOPICS__COMMANDS_PARTITIONS" | default $all | int -}}
{{- end -}}
