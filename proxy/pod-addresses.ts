/** The addresses of a pod beside its own: those from which its application may come as well. */
import { networkInterfaces, type NetworkInterfaceInfo } from 'node:os';
import { formatAddress, parseAddress } from './core/cidr.ts';
import type { ProxyNode } from './snapshot/node.ts';

/** More would be those of a machine, not of a pod. */
const MOST = 16;

/**
 * IPv6 addresses, and those in other networks. Asked each time, as a container joins and leaves networks while it runs. Only where the
 * kernel redirects here: a network that has such rules is one pod's, while processes without them share that of their machine.
 */
export function podAddresses(
  { ip, interception }: Pick<ProxyNode, 'ip' | 'interception'>,
  interfaces: () => NodeJS.Dict<NetworkInterfaceInfo[]> = networkInterfaces,
): readonly string[] {
  if (interception !== 'REDIRECT') return [];
  const found = Object.values(interfaces()).flatMap((infos) =>
    (infos ?? []).filter(({ internal }) => !internal).map(({ address }) => parseAddress(address)),
  );
  const all = new Set(found.flatMap((address) => (address === null ? [] : [formatAddress(address)])));
  all.delete(ip);
  return [...all].sort().slice(0, MOST);
}
