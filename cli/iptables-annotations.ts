/**
 * Annotations of a pod that change what is redirected, as the kubelet writes them for a volume of the downward API: lines
 * `key="value"`, the value quoted as Go's %q does (https://kubernetes.io/docs/concepts/workloads/pods/downward-api/).
 */
import { CliError } from './cli-error.ts';
import type { Given, SettingName } from './iptables-settings.ts';

/** https://istio.io/latest/docs/reference/config/annotations/ */
export const ANNOTATIONS: Readonly<Record<string, SettingName>> = {
  'sidecar.istio.io/interceptionMode': 'mode',
  'traffic.sidecar.istio.io/includeInboundPorts': 'inboundPorts',
  'traffic.sidecar.istio.io/excludeInboundPorts': 'excludedInboundPorts',
  'traffic.sidecar.istio.io/includeOutboundIPRanges': 'outboundRanges',
  'traffic.sidecar.istio.io/excludeOutboundIPRanges': 'excludedOutboundRanges',
  'traffic.sidecar.istio.io/includeOutboundPorts': 'outboundPorts',
  'traffic.sidecar.istio.io/excludeOutboundPorts': 'excludedOutboundPorts',
  'traffic.sidecar.istio.io/kubevirtInterfaces': 'virtualInterfaces',
  'traffic.sidecar.istio.io/excludeInterfaces': 'excludedInterfaces',
};

/** What `text` says of redirection; other annotations are passed over. Throws a CliError that names file and line. */
export function annotated(text: string, file: string): Map<SettingName, Given> {
  const found = new Map<SettingName, Given>();
  for (const [i, line] of text.split('\n').entries()) {
    const [, key = '', quoted = ''] = /^([^=\s]+)=(.*)$/.exec(line.trimEnd()) ?? [];
    const name = Object.hasOwn(ANNOTATIONS, key) ? ANNOTATIONS[key] : undefined;
    if (name === undefined) continue;
    const value = unquoted(quoted);
    if (value === null) {
      const hint = 'Such a file is what a volume of the downward API has for metadata.annotations.';
      throw new CliError(`${file}:${i + 1}: expected ${key}="value", got ${JSON.stringify(line)}.`, {
        hint,
        exitCode: 2,
      });
    }
    found.set(name, { text: value, from: `${file}:${i + 1}: ${key}` });
  }
  return found;
}

/** Null when it is not quoted. None of Go's escapes that JSON lacks (`\x`, `\a`, `\v`) can be in a value that is right. */
function unquoted(text: string): string | null {
  try {
    const value: unknown = text.startsWith('"') ? JSON.parse(text) : null;
    return typeof value === 'string' ? value : null;
  } catch {
    return null;
  }
}
