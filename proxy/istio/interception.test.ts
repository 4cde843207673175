import { describe, expect, test } from 'vitest';
import { ALL_OUTBOUND, noProxyOf, type OutboundRanges } from './interception.ts';

const noProxy = (annotations: Record<string, string>, mesh: OutboundRanges = ALL_OUTBOUND): string =>
  noProxyOf(
    Object.fromEntries(Object.entries(annotations).map(([k, v]) => [`traffic.sidecar.istio.io/${k}`, v])),
    mesh,
  );

describe('what a pod reaches without its sidecar', () => {
  test.each<[string, Record<string, string>, OutboundRanges, string]>([
    ['nothing, by default', {}, ALL_OUTBOUND, ''],
    ['excluded ranges', { excludeOutboundIPRanges: '10.0.0.0/8, 192.0.2.7' }, ALL_OUTBOUND, '10.0.0.0/8,192.0.2.7/32'],
    ['excluded ports', { excludeOutboundPorts: '3306,27017' }, ALL_OUTBOUND, '*:3306,*:27017'],
    ['all that is not included', { includeOutboundIPRanges: '0.0.0.0/1' }, ALL_OUTBOUND, '128.0.0.0/1,::/0'],
    ['everything that is an address', { includeOutboundIPRanges: '' }, ALL_OUTBOUND, '0.0.0.0/0,::/0'],
    [
      'but for included ports, unless their range is excluded',
      { includeOutboundIPRanges: '', includeOutboundPorts: '3306', excludeOutboundIPRanges: '10.0.0.0/8' },
      ALL_OUTBOUND,
      '10.0.0.0/8,!*:3306,0.0.0.0/0,::/0',
    ],
    ['included ports when all is included', { includeOutboundPorts: '3306' }, ALL_OUTBOUND, ''],
    ['as the mesh says', {}, { include: '0.0.0.0/1', exclude: '10.0.0.0/8' }, '10.0.0.0/8,128.0.0.0/1,::/0'],
    [
      'as the pod says, whatever the mesh does',
      { includeOutboundIPRanges: '*', excludeOutboundIPRanges: '' },
      { include: '', exclude: '10.0.0.0/8' },
      '',
    ],
    [
      'no more for what cannot be read',
      { excludeOutboundIPRanges: '*', includeOutboundIPRanges: 'x' },
      ALL_OUTBOUND,
      '',
    ],
  ])('is %s', (_, annotations, mesh, expected) => expect(noProxy(annotations, mesh)).toBe(expected));
});
