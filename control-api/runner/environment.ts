/** The environment of a container: what its Deployment asks for, resolved, over what the runner gives every process. */
import type { Resource } from '#proxy/istio/resource.ts';
import type { Store } from '../store.ts';
import type { ContainerSpec, EnvVar, KeyRef, Pod, SourceRef } from './object.ts';

/** What of the runner's own environment an application needs to start at all. Its proxies and secrets it does not. */
const INHERITED = ['PATH', 'HOME', 'USER', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'NODE_COMPILE_CACHE'];

export function inheritedEnv(from: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of INHERITED) if (from[name] !== undefined) env[name] = from[name];
  return env;
}

/** What a container's configuration lacks; the Pod waits with reason CreateContainerConfigError. */
export class MissingConfigError extends Error {}

/**
 * `env` and `envFrom` of a container (kubernetes.io/docs/tasks/inject-data-application/define-environment-variable-container),
 * on top of `base`. `$(NAME)` in values means a variable that came before. Throws MissingConfigError.
 */
export function containerEnv(
  store: Store,
  pod: Pod,
  container: ContainerSpec,
  base: Readonly<Record<string, string>>,
): Record<string, string> {
  const env: Record<string, string> = { ...base };
  for (const { prefix = '', secretRef, configMapRef } of container.envFrom ?? []) {
    const values =
      secretRef !== undefined
        ? allOf(store, 'Secret', pod, secretRef)
        : configMapRef !== undefined
          ? allOf(store, 'ConfigMap', pod, configMapRef)
          : {};
    for (const [name, value] of Object.entries(values)) env[prefix + name] = value;
  }
  for (const variable of container.env ?? []) {
    const value = valueOf(store, pod, variable);
    if (value !== null) env[variable.name] = expand(value, env);
  }
  // The operating system ends a value there; that would be refused with the value in the message.
  const bad = Object.entries(env).find(([name, value]) => `${name}${value}`.includes('\0'));
  if (bad !== undefined)
    throw new MissingConfigError(
      `the value of ${shownName(bad[0])} contains a NUL byte, which no environment variable can hold`,
    );
  return env;
}

const shownName = (name: string): string => JSON.stringify(name.replaceAll('\0', '\\0'));

/** `$(NAME)` → its value; `$$(NAME)` → `$(NAME)`; an unknown name stays as it is. */
export function expand(text: string, env: Readonly<Record<string, string>>): string {
  return text.replace(/\$\$|\$\(([A-Za-z_][\w.-]*)\)/g, (whole, name: string | undefined) =>
    name === undefined ? '$' : (env[name] ?? whole),
  );
}

/** Null: leave the variable out. */
function valueOf(store: Store, pod: Pod, { value, valueFrom }: EnvVar): string | null {
  if (valueFrom?.secretKeyRef !== undefined) return keyOf(store, 'Secret', pod, valueFrom.secretKeyRef);
  if (valueFrom?.configMapKeyRef !== undefined) return keyOf(store, 'ConfigMap', pod, valueFrom.configMapKeyRef);
  if (valueFrom?.fieldRef !== undefined) return field(pod, valueFrom.fieldRef.fieldPath);
  return value ?? '';
}

function keyOf(
  store: Store,
  kind: 'Secret' | 'ConfigMap',
  pod: Pod,
  { name, key, optional = false }: KeyRef,
): string | null {
  const value = allOf(store, kind, pod, { name, optional })[key];
  if (value !== undefined) return value;
  if (optional) return null;
  throw new MissingConfigError(`couldn't find key ${key} in ${kind} ${pod.metadata.namespace}/${name}`);
}

function allOf(
  store: Store,
  kind: 'Secret' | 'ConfigMap',
  pod: Pod,
  { name, optional = false }: SourceRef,
): Readonly<Record<string, string>> {
  const source = store.get(kind, pod.metadata.namespace, name);
  if (source !== undefined) return sourceData(kind, source);
  if (optional) return {};
  throw new MissingConfigError(`${kind.toLowerCase()} "${name}" not found`);
}

/** What a Secret or a ConfigMap holds, as text. */
export const sourceData = (kind: 'Secret' | 'ConfigMap', source: Resource): Readonly<Record<string, string>> =>
  kind === 'Secret' ? secretData(source) : texts(source['data']);

function secretData(secret: Resource): Record<string, string> {
  const decoded = Object.entries(texts(secret['data'])).map(([key, value]) => [
    key,
    Buffer.from(value, 'base64').toString('utf8'),
  ]);
  return { ...(Object.fromEntries(decoded) as Record<string, string>), ...texts(secret['stringData']) };
}

const texts = (value: unknown): Record<string, string> =>
  typeof value === 'object' && value !== null ? (value as Record<string, string>) : {};

/** The downward API's fields (kubernetes.io/docs/concepts/workloads/pods/downward-api). */
function field({ metadata, spec, status }: Pod, path: string): string {
  const [, map, key] = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path) ?? [];
  if (map === 'labels' || map === 'annotations') return metadata[map]?.[key!] ?? '';
  const known: Record<string, string | undefined> = {
    'metadata.name': metadata.name,
    'metadata.namespace': metadata.namespace,
    'metadata.uid': metadata.uid,
    'spec.nodeName': spec.nodeName,
    'spec.serviceAccountName': spec.serviceAccountName ?? 'default',
    'status.podIP': status?.podIP,
    'status.podIPs': status?.podIP,
    'status.hostIP': status?.hostIP,
  };
  if (!Object.hasOwn(known, path))
    throw new MissingConfigError(
      `fieldRef ${path} is not known; expected one of ${Object.keys(known).join(', ')}, metadata.labels['…'], metadata.annotations['…']`,
    );
  return known[path] ?? '';
}
