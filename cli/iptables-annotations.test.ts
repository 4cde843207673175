import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { CliError } from './cli-error.ts';
import { annotated } from './iptables-annotations.ts';

describe('annotations of a pod', () => {
  test('are read as the kubelet writes them, and others are passed over', () => {
    const file = [
      'kubernetes.io/config.seen="2026-01-02T03:04:05Z"',
      'a/b="\\x00 \\"quoted\\"',
      'traffic.sidecar.istio.io/excludeOutboundIPRanges="10.0.0.0/8,fd00::/8"',
      'traffic.sidecar.istio.io/includeInboundPorts="*"',
      'sidecar.istio.io/interceptionMode="REDIRECT"',
      '',
    ].join('\n');
    assert.deepEqual(
      [...annotated(file, 'f')],
      [
        [
          'excludedOutboundRanges',
          { text: '10.0.0.0/8,fd00::/8', from: 'f:3: traffic.sidecar.istio.io/excludeOutboundIPRanges' },
        ],
        ['inboundPorts', { text: '*', from: 'f:4: traffic.sidecar.istio.io/includeInboundPorts' }],
        ['mode', { text: 'REDIRECT', from: 'f:5: sidecar.istio.io/interceptionMode' }],
      ],
    );
  });

  test.each([
    'traffic.sidecar.istio.io/excludeInboundPorts=80',
    'traffic.sidecar.istio.io/excludeInboundPorts="80',
    'traffic.sidecar.istio.io/excludeInboundPorts="80" "90"',
    'traffic.sidecar.istio.io/excludeInboundPorts="\\x41"',
    'traffic.sidecar.istio.io/excludeInboundPorts=',
  ])('%s is refused, with file and line', (line) =>
    assert.throws(
      () => annotated(`\n${line}`, 'labels.txt'),
      (error: unknown) =>
        error instanceof CliError && error.exitCode === 2 && error.message.startsWith('labels.txt:2: expected'),
    ),
  );
});
