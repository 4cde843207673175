/** Tells resources that validate from those that do not, when some that do not are among those to compile. */
import { parseObject } from '../istio/parse.ts';
import type { Problem } from '../istio/problem.ts';
import { type Resource, ResourceSet } from '../istio/resource.ts';
import { DEFAULT_NAMESPACE } from './defaults.ts';

/** They deny when they cannot be read; leaving them out would let everyone in. */
const SECURITY = new Set(['AuthorizationPolicy', 'rule']);

export function separate(resources: ResourceSet): {
  readonly sound: ResourceSet;
  readonly problems: readonly Problem[];
} {
  const sound: Resource[] = [];
  const problems: Problem[] = [];
  for (const resource of resources.all()) {
    const read = parseObject(resource, { defaultNamespace: DEFAULT_NAMESPACE });
    // What is read back is the clean copy: members that are null are gone, as they mean nothing.
    if (read.resource !== null) sound.push(read.resource);
    else if (SECURITY.has(resource.kind)) sound.push(resource);
    problems.push(...read.problems.filter((p) => p.severity === 'error'));
  }
  return { sound: new ResourceSet(sound), problems };
}
