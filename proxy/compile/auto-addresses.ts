/** Addresses for ServiceEntries that have none, so that a name a sidecar answers for (DNS capture) leads to one service and no other. */
import { hash64 } from '../core/hash.ts';
import type { Resource } from '../istio/resource.ts';
import type { ServiceEntrySpec } from '../istio/service-entry.ts';

/** Hosts and last octets 1 to 254 of 240.240.0.0/16: class E, which no network routes. */
const SLOTS = 256 * 254;
const OPT_OUT = 'networking.istio.io/enable-autoallocate-ip';

/**
 * By `namespace/name/host` (host as written, in lower case): one address of 240.240.0.0/16, then its twin of 2001:2::/48.
 *
 * An entry has them when it lists no addresses, says where its endpoints are (resolution is neither NONE nor DYNAMIC_DNS), and is not
 * labelled `networking.istio.io/enable-autoallocate-ip: "false"`; each of its hosts but wildcards gets its own
 * (Istio: pilot/pkg/serviceregistry/serviceentry, shouldV2AutoAllocateIP; the ranges of pilot/pkg/controllers/ipallocate).
 *
 * Istio keeps what it has given in the entry's status; here nothing is kept. The key's hash is the place, so every proxy comes to the same
 * answer, and what else there is changes nothing. Only when two keys meet in one place (or a user's own address is there) does the
 * later of `entries` take another: give them oldest first, as a ResourceSet lists them. Then a new entry never moves an older one.
 */
export function autoAddresses(entries: readonly Resource<ServiceEntrySpec>[]): ReadonlyMap<string, readonly string[]> {
  const taken = new Set<number>();
  for (const { spec } of entries) for (const address of spec.addresses ?? []) taken.add(slotOf(address));
  taken.delete(-1);
  const addresses = new Map<string, readonly string[]>();
  for (const entry of entries) {
    if (!allocates(entry)) continue;
    for (const written of entry.spec.hosts) {
      const host = written.toLowerCase();
      const key = `${entry.metadata.namespace}/${entry.metadata.name}/${host}`;
      if (host.startsWith('*') || addresses.has(key)) continue;
      const slot = placeFor(key, taken);
      if (slot < 0) return addresses;
      taken.add(slot);
      addresses.set(key, addressesAt(slot));
    }
  }
  return addresses;
}

function allocates({ metadata, spec }: Resource<ServiceEntrySpec>): boolean {
  const resolution = spec.resolution ?? 'NONE';
  if (resolution === 'NONE' || resolution === 'DYNAMIC_DNS' || (spec.addresses ?? []).length > 0) return false;
  return metadata.labels?.[OPT_OUT]?.toLowerCase() !== 'false';
}

/** Double hashing: keys that meet once go on by steps of their own. -1: every place is taken. */
function placeFor(key: string, taken: ReadonlySet<number>): number {
  const hash = hash64(key);
  const first = Number.parseInt(hash.slice(0, 8), 16) % SLOTS;
  let step = (Number.parseInt(hash.slice(8), 16) % SLOTS) | 1;
  // SLOTS is 2⁹ × 127: a step that shares no factor with it comes to every place.
  if (step % 127 === 0) step += 2;
  for (let i = 0; i < SLOTS; i++) {
    const slot = (first + i * step) % SLOTS;
    if (!taken.has(slot)) return slot;
  }
  return -1;
}

function addressesAt(slot: number): readonly string[] {
  const third = Math.floor(slot / 254);
  const fourth = (slot % 254) + 1;
  return [`240.240.${third}.${fourth}`, `2001:2::f0f0:${(third * 256 + fourth).toString(16)}`];
}

/** -1: not one of those addresses. */
function slotOf(address: string): number {
  const v4 = /^240\.240\.(\d{1,3})\.(\d{1,3})$/.exec(address);
  const v6 = /^2001:2::f0f0:([\da-f]{1,4})$/i.exec(address);
  const low = v6 === null ? 0 : Number.parseInt(v6[1]!, 16);
  const [third, fourth] = v4 === null ? [low >> 8, low & 255] : [Number(v4[1]), Number(v4[2])];
  return third > 255 || fourth < 1 || fourth > 254 ? -1 : third * 254 + fourth - 1;
}
