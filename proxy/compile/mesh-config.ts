/**
 * Settings of the whole mesh that Istio keeps in the ConfigMap `istio` of its root namespace, as YAML under `data.mesh`
 * (istio.io/latest/docs/reference/config/istio.mesh.v1alpha1: MeshConfig). Read from it: `pathNormalization` (here), and what proxies
 * tell (`mesh-telemetry.ts`). All else in it is said by flags of the proxies, and left alone.
 */
import { PATH_NORMALIZATIONS } from '../core/path.ts';
import type { Resource, ResourceSet } from '../istio/resource.ts';
import { readYaml } from '../istio/yaml-document.ts';
import type { MeshSettings } from './defaults.ts';
import type { Problems } from './problems.ts';

export const MESH_CONFIG = 'istio';

type ConfigMap = Resource & { readonly data?: Readonly<Record<string, unknown>> };

const WHERE = 'data.mesh.pathNormalization.normalization';

/** `mesh` with what the ConfigMap says over it; what cannot be read is a problem, and changes nothing. */
export function withMeshConfig(resources: ResourceSet, mesh: MeshSettings, problems: Problems): MeshSettings {
  const found = meshConfigOf(resources, mesh.rootNamespace);
  if (found === null) return mesh;
  const { map, value, faults } = found;
  for (const { severity, message, line } of faults)
    problems.add(severity, map, 'data.mesh', `line ${line}: ${message}`);
  const written = child(child(value, 'pathNormalization'), 'normalization');
  if (written === undefined || written === 'DEFAULT') return mesh;
  const mode = PATH_NORMALIZATIONS.find((known) => known === written);
  if (mode !== undefined) return { ...mesh, pathNormalization: mode };
  const expected = ['DEFAULT', ...PATH_NORMALIZATIONS].join(', ');
  problems.error(map, WHERE, `expected one of ${expected}, got ${JSON.stringify(written)}`);
  return mesh;
}

export type MeshConfig = {
  readonly map: Resource;
  readonly value: unknown;
  readonly faults: ReturnType<typeof readYaml>['faults'];
};

/** A ConfigMap is read once, for however many proxies. */
const read = new WeakMap<Resource, { readonly text: string; readonly config: MeshConfig }>();

/** Null: there is none. */
export function meshConfigOf(resources: ResourceSet, rootNamespace: string): MeshConfig | null {
  const map: ConfigMap | undefined = resources.get('ConfigMap', rootNamespace, MESH_CONFIG);
  const text = map?.data?.['mesh'];
  if (map === undefined || typeof text !== 'string') return null;
  const known = read.get(map);
  if (known?.text === text) return known.config;
  const { documents, faults } = readYaml(text);
  const config = { map, value: documents[0]?.value, faults };
  read.set(map, { text, config });
  return config;
}

/** A field of an object; undefined where there is none. */
export const child = (value: unknown, key: string): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined;
