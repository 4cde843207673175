import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { describe, test } from 'vitest';
import { decodePeer, encodePeer, PeerMetadata } from './peer-metadata.ts';
import { readStruct, writeStruct } from './protobuf-struct.ts';
import { exchange, proxyNode, workload } from './sample-exchange.ts';

const reviews = workload('reviews', 'v3', '127.1.0.3');

describe('peer metadata', () => {
  test('what one proxy writes, another reads', () => {
    const read = decodePeer(encodePeer(reviews))!;
    assert.deepEqual(
      { ...read, labels: { app: read.labels['app'], version: read.labels['version'] } },
      { ...reviews, serviceAccount: '', ip: '' },
    );
    assert.deepEqual(Object.keys(read.labels), [
      'app',
      'service.istio.io/canonical-name',
      'service.istio.io/canonical-revision',
      'version',
    ]);
  });

  test('bytes are those of protobuf: a field is tag, length and content, in the order of names', () => {
    const [a, b] = ['0a080a016112031a0178', '0a120a0162120d2a0b0a090a016312041a02c3a9'];
    assert.equal(writeStruct({ b: { c: 'é' }, a: 'x' }).toString('hex'), a + b);
    // Numbers, booleans and null, which no field of Istio's has, are skipped.
    const others = ['0a0e0a014e120911000000000000f83f', '0a070a015412022001', '0a070a014e12020800'];
    assert.deepEqual({ ...readStruct(Buffer.from([...others, a].join(''), 'hex')) }, { a: 'x' });
  });

  for (const [what, said] of [
    ['nothing', ''],
    ['no base64', '%%%'],
    ['too long', 'A'.repeat(5000)],
    ['cut short', encodePeer(reviews).slice(0, 40)],
    ['too deep', writeStruct({ LABELS: { app: { x: { y: 'z' } } } }).toString('base64')],
    ['no UTF-8', Buffer.from('0a080a016112031a01ff', 'hex').toString('base64')],
    [
      'too many',
      writeStruct(Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`f${i}`, '']))).toString('base64'),
    ],
  ] as const)
    test(`${what} is nobody`, () => assert.equal(decodePeer(said), null));

  test('values that are no names are left out', () => {
    const said = writeStruct({
      WORKLOAD_NAME: 'a"b\n',
      NAMESPACE: 'x'.repeat(300),
      CLUSTER_ID: '\u202e',
      LABELS: { app: 'fine', version: '<b>', __proto__x: 'y' },
    });
    const read = decodePeer(said.toString('base64'))!;
    assert.deepEqual([read.workload, read.namespace, read.cluster, read.labels['version']], ['', '', '', undefined]);
    assert.equal(read.canonicalService, 'fine');
  });

  test('no bytes whatever make it throw', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void readStruct(bytes)));
    fc.assert(
      fc.property(fc.nat(200), fc.nat(255), (at, byte) => {
        const bytes = Buffer.from(encodePeer(reviews), 'base64');
        bytes[at % bytes.length] = byte;
        decodePeer(bytes.toString('base64'));
      }),
    );
  });

  test('who says much is remembered only so often, and the same words are the same peer', () => {
    const peers = new PeerMetadata(proxyNode(reviews));
    const claim = (i: number) => {
      const x = exchange('inbound', null);
      x.headers.push('x-envoy-peer-metadata', encodePeer(workload(`app${i}`, 'v1', '10.0.0.1')));
      peers.readRequest(x);
      return x.claimed;
    };
    const first = claim(0);
    assert.equal(first?.workload, 'app0-v1');
    for (let i = 1; i < 100; i++) assert.notEqual(claim(i), null);
    assert.equal(claim(100), null);
    assert.equal(claim(0), first);
  });

  test('a caller that the mesh knows is not believed, but answered', () => {
    const x = exchange('inbound', workload('ratings', 'v1', '127.1.0.4'));
    x.headers.push('X-Envoy-Peer-Metadata', encodePeer(reviews), 'x-envoy-peer-metadata-id', 'me');
    const peers = new PeerMetadata(proxyNode(reviews));
    peers.readRequest(x);
    assert.equal(x.claimed, null);
    assert.deepEqual(x.headers.slice(4), []);
    const headers: string[] = [];
    peers.addToResponse(x, headers);
    assert.deepEqual(headers, [
      'x-envoy-peer-metadata-id',
      'sidecar~127.1.0.3~reviews-v3-0.default~default.svc.cluster.local',
      'x-envoy-peer-metadata',
      encodePeer(reviews),
    ]);
  });
});
