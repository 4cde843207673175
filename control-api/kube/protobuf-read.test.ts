import { describe, expect, test } from 'vitest';
import { Message } from './protobuf.ts';
import { readKubeProtobuf } from './protobuf-read.ts';

const meta = new Message()
  .text(1, 'demo')
  .text(3, 'default')
  .messages(11, [new Message().text(1, 'app').text(2, 'demo')]);

function envelope(kind: string, raw: Message, apiVersion = 'v1'): Buffer {
  const unknown = new Message().message(1, new Message().text(1, apiVersion).text(2, kind)).message(2, raw);
  return Buffer.concat([Buffer.from('k8s\0'), unknown.bytes()]);
}

describe('protobuf bodies of kubectl create', () => {
  test('a ConfigMap', () => {
    const data = new Message().text(1, 'key').text(2, 'välue');
    expect(readKubeProtobuf(envelope('ConfigMap', new Message().message(1, meta).messages(2, [data])))).toEqual({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'demo', namespace: 'default', labels: { app: 'demo' } },
      data: { key: 'välue' },
    });
  });

  test('a Secret has its bytes in base64', () => {
    const data = new Message().text(1, 'password').text(2, 'hunter2');
    const secret = readKubeProtobuf(
      envelope('Secret', new Message().message(1, meta).messages(2, [data]).text(3, 'Opaque')),
    );
    expect(secret).toMatchObject({ data: { password: 'aHVudGVyMg==' }, type: 'Opaque' });
  });

  test('a Deployment keeps replicas and drops what was not set', () => {
    const container = new Message()
      .text(1, 'web')
      .text(2, 'nginx')
      .messages(6, [new Message().integer(3, 80).text(4, 'TCP')]);
    const template = new Message().message(1, meta).message(2, new Message().messages(2, [container]));
    const spec = new Message()
      .integer(1, 3)
      .message(2, new Message().messages(1, [new Message().text(1, 'app').text(2, 'demo')]))
      .message(3, template);
    const read = readKubeProtobuf(envelope('Deployment', new Message().message(1, meta).message(2, spec), 'apps/v1'));
    expect(read).toMatchObject({
      apiVersion: 'apps/v1',
      spec: {
        replicas: 3,
        selector: { matchLabels: { app: 'demo' } },
        template: {
          spec: { containers: [{ name: 'web', image: 'nginx', ports: [{ containerPort: 80, protocol: 'TCP' }] }] },
        },
      },
    });
  });

  for (const { it, bytes, says } of [
    { it: 'no magic', bytes: Buffer.from('{}'), says: /does not begin/ },
    {
      it: 'a kind that is not in the tables',
      bytes: envelope('Node', new Message()),
      says: /kind Node cannot be read/,
    },
    {
      it: 'a field that is not in the tables',
      bytes: envelope('ConfigMap', new Message().text(99, 'x')),
      says: /field 99 of ConfigMap/,
    },
    {
      it: 'a truncated field',
      bytes: envelope('ConfigMap', new Message().message(1, meta)).subarray(0, 30),
      says: /ends in the middle/,
    },
    {
      it: 'a length beyond the end',
      bytes: Buffer.concat([Buffer.from('k8s\0'), Buffer.of(0x12, 0xff, 0xff, 0xff, 0x0f)]),
      says: /ends in the middle/,
    },
    {
      it: 'a number without an end',
      bytes: Buffer.concat([Buffer.from('k8s\0'), Buffer.alloc(12, 0xff)]),
      says: /more than ten bytes/,
    },
  ]) {
    test(`${it} is refused`, () => expect(() => readKubeProtobuf(bytes)).toThrow(says));
  }
});
