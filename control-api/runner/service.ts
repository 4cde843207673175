/** Gives Services what a cluster gives them: a cluster IP (for people to see; proxies route by name) and their type. */
import type { Store } from '../store.ts';
import { update } from './author.ts';
import type { Service } from './object.ts';
import { templateHash } from './template-hash.ts';
import type { Controller } from './work-queue.ts';

/** `key`: `namespace/name`. Addresses come out of 10.96.0.0/16, Kubernetes' usual service range. */
export function serviceController(store: Store): Controller {
  return {
    name: 'Service',
    reconcile(key) {
      const [namespace = '', name = ''] = key.split('/');
      const service = store.get('Service', namespace, name) as Service | undefined;
      if (service === undefined) return;
      const { type = 'ClusterIP', clusterIP } = service.spec;
      if (type === 'ExternalName' || (service.spec.type !== undefined && clusterIP !== undefined && clusterIP !== ''))
        return;
      const ip = clusterIP === undefined || clusterIP === '' ? freeAddress(key) : clusterIP;
      update(store, service, (current) => ({
        ...current,
        spec: {
          type,
          ipFamilies: ['IPv4'],
          ipFamilyPolicy: 'SingleStack',
          sessionAffinity: 'None',
          ...current.spec,
          clusterIP: ip,
          clusterIPs: [ip],
        },
      }));
    },
  };

  /** The same Service tends to get the same address again. */
  function freeAddress(key: string): string {
    const taken = new Set((store.list('Service') as readonly Service[]).map((s) => s.spec.clusterIP));
    for (let salt = 0; ; salt++) {
      const hash = templateHash({ key, salt });
      const n = Array.from(hash).reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 65_024, 7) + 256;
      const address = `10.96.${n >> 8}.${n & 255}`;
      if (!taken.has(address)) return address;
    }
  }
}
