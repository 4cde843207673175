/** Volumes of a Pod in docker compose: emptyDir, as memory that goes with the pod. There is nothing to fill others from. */
import type { Report } from '#proxy/istio/report.ts';
import { shown } from '#proxy/istio/shown.ts';
import { isRecord } from '#proxy/istio/validate.ts';
import type { ContainerSpec, Pod } from '../control-api/runner/object.ts';
import { fieldOf, quantity } from './compose-container.ts';
import { literal, type ComposeValue } from './compose-file.ts';

export type Mounts = {
  /** `PATH:OPTIONS`, for the container alone. */
  readonly tmpfs: readonly string[];
  /** `NAME:PATH`, of those that several containers of the pod see. */
  readonly volumes: readonly string[];
};

export type PodVolumes = {
  of(container: ContainerSpec): Mounts;
  /** Declarations of the shared ones, by name. */
  readonly shared: Readonly<Record<string, ComposeValue>>;
};

type Mount = { readonly volume: string; readonly path: string; readonly readOnly: boolean };

/** `containers`: those that run, each with its place. */
export function podVolumes(
  pod: Pod,
  containers: readonly (readonly [ContainerSpec, Report])[],
  at: Report,
): PodVolumes {
  const listed = fieldOf(pod.spec, 'volumes');
  if (listed !== undefined && !Array.isArray(listed)) at.at('volumes').error('expected a list');
  const known = new Map<string, { readonly i: number; readonly volume: Readonly<Record<string, unknown>> }>();
  for (const [i, volume] of (Array.isArray(listed) ? (listed as readonly unknown[]) : []).entries()) {
    if (isRecord(volume) && typeof volume['name'] === 'string') known.set(volume['name'], { i, volume });
    else at.at('volumes', i).error('expected a volume with a name');
  }
  const mounts = new Map(containers.map(([container, where]) => [container, mountsOf(container, where)]));
  const users = (name: string): number =>
    [...mounts.values()].filter((list) => list.some(({ volume }) => volume === name)).length;
  const shared: Record<string, ComposeValue> = {};
  const sizes = new Map<string, string>();
  for (const [container, where] of containers) {
    for (const [i, { volume }] of mounts.get(container)!.entries()) {
      const found = known.get(volume);
      if (found === undefined) {
        where.at('volumeMounts', i, 'name').error(`expected a volume of the pod, got ${shown(volume)}`);
        continue;
      }
      sizes.set(volume, sizeOf(found.volume, at.at('volumes', found.i)));
      if (users(volume) > 1) shared[sharedName(pod, volume)] = inMemory(sizes.get(volume)!);
    }
  }
  return {
    shared,
    of: (container) => {
      const list = mounts.get(container) ?? [];
      const [own, common] = [list.filter((m) => users(m.volume) < 2), list.filter((m) => users(m.volume) > 1)];
      const end = ({ readOnly }: Mount): string => (readOnly ? ':ro' : '');
      return {
        // As Kubernetes' it may hold programs, which Docker's would not run.
        tmpfs: own.map((m) => `${literal(m.path)}:exec${sizes.get(m.volume) ?? ''}${m.readOnly ? ',ro' : ''}`),
        volumes: common.map((m) => `${sharedName(pod, m.volume)}:${literal(m.path)}${end(m)}`),
      };
    },
  };
}

const sharedName = ({ metadata }: Pod, volume: string): string => `${metadata.name}-${volume}`;

const inMemory = (size: string): ComposeValue => ({
  driver: 'local',
  driver_opts: { type: 'tmpfs', device: 'tmpfs', o: `mode=1777${size}` },
});

function mountsOf(container: ContainerSpec, at: Report): readonly Mount[] {
  const listed = fieldOf(container, 'volumeMounts');
  if (listed !== undefined && !Array.isArray(listed)) at.at('volumeMounts').error('expected a list');
  return (Array.isArray(listed) ? (listed as readonly unknown[]) : []).flatMap((mount, i) => {
    const here = at.at('volumeMounts', i);
    const { name, mountPath, readOnly, ...more } = isRecord(mount) ? mount : {};
    if (typeof name !== 'string' || typeof mountPath !== 'string' || !/^\/[^:,\0]*$/.test(mountPath)) {
      here.error('expected the name of a volume and a mountPath such as /cache, without ":" and ","');
      return [];
    }
    for (const field of ['subPath', 'subPathExpr'])
      if (more[field] !== undefined && more[field] !== '') here.at(field).error('cannot be said in a compose file');
    return [{ volume: name, path: mountPath, readOnly: readOnly === true }];
  });
}

/** `,size=BYTES`, or nothing. */
function sizeOf(volume: Readonly<Record<string, unknown>>, at: Report): string {
  const { name: _, ...source } = volume;
  const kinds = Object.keys(source);
  if (!isRecord(source['emptyDir'])) {
    at.error(
      `expected emptyDir, got ${kinds.join(', ') || 'nothing'}: for anything else write the mount into a compose file of your own`,
    );
    return '';
  }
  const limit = source['emptyDir']['sizeLimit'];
  const bytes = limit === undefined ? null : quantity(limit);
  if (limit !== undefined && bytes === null) at.at('emptyDir', 'sizeLimit').error('expected an amount such as 64Mi');
  return bytes === null ? '' : `,size=${Math.ceil(bytes)}`;
}
