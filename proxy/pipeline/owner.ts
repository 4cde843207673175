/**
 * Whose outbound listeners these are. What leaves them leaves in the name of one workload: anybody else who could use them would
 * pass every policy as that workload.
 */
import type { Connection } from '../live/connection.ts';
import type { ProxyNode } from '../snapshot/node.ts';

/** The workload itself: its own address, or loopback where that is no other workload's address. */
export function mayUseOutbound(node: ProxyNode, { remoteAddress, redirected, peer }: Connection): boolean {
  // Only what leaves this machine is redirected here, and nobody but its owner can have rules made.
  if (redirected || remoteAddress === node.ip) return true;
  const loopback = remoteAddress.startsWith('127.') || remoteAddress === '::1';
  return loopback && (peer === null || peer.ip === node.ip);
}
