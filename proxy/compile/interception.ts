/** What is different for a proxy that the kernel redirects connections to (INTERCEPTION_MODE REDIRECT). */
import type { ProxyNode } from '../snapshot/node.ts';

export const isRedirected = ({ interception }: ProxyNode): boolean => interception === 'REDIRECT';

/** Where 15001 and 15006 are bound: connections of both families are redirected to whatever address of the machine the kernel likes. */
export const proxyAddress = (node: ProxyNode): string => (isRedirected(node) ? '::' : node.ip);

/**
 * The address from which this proxy connects to its application: rules let by what comes from there, or the connection would come back
 * (Istio's InboundPassthroughBindIpv4, InboundPassthroughBindIpv6). Null: any. `target`: where the application is.
 */
export const appSource = (node: ProxyNode, target: string): string | null =>
  isRedirected(node) ? (target.includes(':') ? '::6' : '127.0.0.6') : null;
