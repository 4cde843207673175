/** The environment of a container, in compose's words: what its Deployment says, with Secrets and ConfigMaps of the same files. */
import type { Report } from '#proxy/istio/report.ts';
import { shown } from '#proxy/istio/shown.ts';
import type { Resource } from '#proxy/istio/resource.ts';
import { sourceData } from '../control-api/runner/environment.ts';
import type { ContainerSpec, EnvVar, KeyRef, Pod } from '../control-api/runner/object.ts';
import { literal } from './compose-file.ts';

/** Variables of compose's own environment that a file asks for, and what each stands for. */
export type Wanted = Map<string, string>;

export type Surroundings = {
  readonly pod: Pod;
  readonly find: (kind: 'Secret' | 'ConfigMap' | 'Namespace', name: string) => Resource | undefined;
  readonly wanted: Wanted;
};

/**
 * As the runner reads them (control-api/runner/environment.ts), over `base`, in compose's spelling. A Secret or ConfigMap that is in no file leaves a
 * variable for compose to fill in, `${DEMO_CREDENTIALS_PASSWORD?…}`; null: whatever compose's own environment has, or nothing.
 */
export function composeEnvironment(
  container: ContainerSpec,
  base: Readonly<Record<string, string>>,
  around: Surroundings,
  at: Report,
): Record<string, string | null> {
  const env: Record<string, string | null> = { ...base };
  for (const [i, { prefix = '', secretRef, configMapRef }] of (container.envFrom ?? []).entries()) {
    const ref = secretRef ?? configMapRef;
    if (ref === undefined) continue;
    const kind = secretRef === undefined ? 'ConfigMap' : 'Secret';
    const source = around.find(kind, ref.name);
    if (source === undefined && ref.optional !== true)
      at.at('envFrom', i).error(`expected ${kind} ${ref.name} in one of the files: its keys are not known otherwise`);
    if (source === undefined) continue;
    for (const [name, value] of Object.entries(sourceData(kind, source))) env[prefix + name] = literal(value);
  }
  for (const [i, variable] of (container.env ?? []).entries()) {
    const value = valueOf(variable, env, around, at.at('env', i));
    if (value !== undefined) env[variable.name] = value;
  }
  for (const [name, value] of Object.entries(env))
    if (`${name}${value}`.includes('\0')) at.at('env').error(`expected no NUL byte in ${shown(name)}`);
  return env;
}

/** `$(NAME)` → what compose has for it; `$$` → `$`; the rest as it is: Kubernetes' rule, said in compose's spelling. */
export function expanded(text: string, env: Readonly<Record<string, string | null>>): string {
  return text.replace(/\$\$|\$\(([A-Za-z_][\w.-]*)\)|\$/g, (whole, name: string | undefined) => {
    if (name === undefined) return '$$';
    return (Object.hasOwn(env, name) ? env[name] : null) ?? literal(whole);
  });
}

/** Undefined: leave the variable out. */
function valueOf(
  { name, value, valueFrom }: EnvVar,
  env: Readonly<Record<string, string | null>>,
  around: Surroundings,
  at: Report,
): string | null | undefined {
  const { secretKeyRef, configMapKeyRef, fieldRef, resourceFieldRef } = valueFrom ?? {};
  if (secretKeyRef !== undefined)
    return keyOf('Secret', secretKeyRef, name, around, at.at('valueFrom', 'secretKeyRef'));
  if (configMapKeyRef !== undefined)
    return keyOf('ConfigMap', configMapKeyRef, name, around, at.at('valueFrom', 'configMapKeyRef'));
  if (fieldRef !== undefined)
    return fieldOf(around.pod, fieldRef.fieldPath, at.at('valueFrom', 'fieldRef', 'fieldPath'));
  if (resourceFieldRef !== undefined) {
    at.at('valueFrom', 'resourceFieldRef').error('cannot be said in a compose file: write the value itself');
    return undefined;
  }
  return expanded(value ?? '', env);
}

function keyOf(
  kind: 'Secret' | 'ConfigMap',
  { name, key, optional = false }: KeyRef,
  variable: string,
  { pod, find, wanted }: Surroundings,
  at: Report,
): string | null | undefined {
  const source = find(kind, name);
  if (source !== undefined) {
    const data = sourceData(kind, source);
    if (Object.hasOwn(data, key)) return literal(data[key]!);
    if (!optional) at.at('key').error(`expected a key of ${kind} ${name}, got ${shown(key)}`);
    return undefined;
  }
  // Without a value, compose passes on the variable of the same name, if there is one.
  if (optional) return null;
  const what = `key ${key} of ${kind} ${pod.metadata.namespace}/${name}`;
  const asked = `${name}_${key}`
    .toUpperCase()
    .replace(/[^A-Z0-9]/g, '_')
    .replace(/^(?=\d)/, '_');
  if (!/^[-.\w]+$/.test(key)) at.at('key').error(`expected letters, digits, "-", "_" and ".", got ${shown(key)}`);
  else if ((wanted.get(asked) ?? what) !== what)
    at.error(`would be \${${asked}}, as ${wanted.get(asked)} is: add ${kind} ${name} to the files (for ${variable})`);
  else wanted.set(asked, what);
  return `\${${asked}?${what}}`;
}

/** What of the downward API is known before anything runs. */
function fieldOf({ metadata, spec }: Pod, path: string, at: Report): string | undefined {
  const [, map, key = ''] = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path) ?? [];
  if (map === 'labels' || map === 'annotations') return literal(metadata[map]?.[key] ?? '');
  const known: Readonly<Record<string, string>> = {
    'metadata.name': metadata.name,
    'metadata.namespace': metadata.namespace,
    'spec.serviceAccountName': spec.serviceAccountName ?? 'default',
  };
  if (Object.hasOwn(known, path)) return literal(known[path]!);
  const names = [...Object.keys(known), "metadata.labels['…']", "metadata.annotations['…']"].join(', ');
  at.error(`expected one of ${names}: nothing else is known before a container runs; got ${shown(path)}`);
  return undefined;
}
