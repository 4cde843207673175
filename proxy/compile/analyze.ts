/** What is valid alone but wrong together: Istio's analyzer messages, with their codes. */
import type { Problem } from '../istio/problem.ts';
import type { ResourceSet } from '../istio/resource.ts';
import type { MeshSettings } from './defaults.ts';
import { Problems } from './problems.ts';

export function analyze(_resources: ResourceSet, _mesh: MeshSettings): readonly Problem[] {
  return new Problems().list;
}
