/** All dashboards, in the order in which one looks at them. */
import { egress } from './egress.ts';
import { mesh } from './mesh.ts';
import type { Dashboard } from './panel.ts';
import { proxy } from './proxy.ts';
import { security } from './security.ts';
import { service } from './service.ts';
import { workload } from './workload.ts';

export const DASHBOARDS: readonly Dashboard[] = [mesh, service, workload, proxy, egress, security];
