/** Which addresses belong to the mesh: ranges that were named, or the networks that this machine (mostly a container) is in. */
import { readFileSync } from 'node:fs';
import { networkInterfaces, type NetworkInterfaceInfo } from 'node:os';
import { cidrPredicate } from '#proxy/core/cidr.ts';

/** What is asked of the machine; tests bring their own. */
export type Surroundings = {
  readonly interfaces: () => NodeJS.Dict<NetworkInterfaceInfo[]>;
  /** A file's text; "" where there is none. */
  readonly read: (file: string) => string;
};

const MACHINE: Surroundings = {
  interfaces: networkInterfaces,
  read: (file) => {
    try {
      return readFileSync(file, 'utf8');
    } catch {
      return '';
    }
  },
};

/**
 * `auto`: neighbours, but for the gateway of the network, by which Docker's host comes when it uses a published port. Looked up with
 * every question, since containers join and leave networks while they run. Loopback is no neighbour.
 */
export function meshNetworks(ranges: readonly string[] | 'auto', around = MACHINE): (address: string) => boolean {
  if (ranges !== 'auto') return cidrPredicate(ranges);
  return (address) => {
    const own = Object.values(around.interfaces()).flatMap((infos) => (infos ?? []).filter((info) => !info.internal));
    const near = cidrPredicate(own.flatMap(({ cidr }) => (cidr === null ? [] : [cidr])));
    return near(address) && !cidrPredicate(gateways(around))(address);
  };
}

/** Of the default routes: proc_net(5), and Linux' Documentation/networking/proc_net for IPv6. */
function gateways({ read }: Surroundings): string[] {
  const v4 = rows(read('/proc/net/route'))
    .filter(([, destination, , , , , , mask]) => destination === '00000000' && mask === '00000000')
    .map(([, , gateway = '']) => gateway)
    .filter((gateway) => /^[\dA-F]{8}$/i.test(gateway) && gateway !== '00000000')
    // In the order of this machine's bytes: the last is the first on every one that Node runs on but s390x.
    .map((gateway) => [...Buffer.from(gateway, 'hex').reverse()].join('.'));
  const v6 = rows(read('/proc/net/ipv6_route'))
    .filter(([destination, length]) => destination === '0'.repeat(32) && length === '00')
    .map(([, , , , next = '']) => next)
    .filter((next) => /^[\da-f]{32}$/i.test(next) && next !== '0'.repeat(32))
    .map((next) => next.match(/.{4}/g)!.join(':'));
  return [...v4, ...v6];
}

const rows = (text: string): string[][] => text.split('\n').map((line) => line.trim().split(/\s+/));
