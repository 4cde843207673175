import fc from 'fast-check';
import { expect, test } from 'vitest';
import { GrpcFrames } from './grpc-frames.ts';

const frame = (length: number, flags = 0): Buffer => {
  const bytes = Buffer.alloc(5 + length, 0xff);
  bytes[0] = flags;
  bytes.writeUInt32BE(length, 1);
  return bytes;
};

test('messages are counted wherever the bytes are cut; empty ones, too, and trailers not', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(300), { maxLength: 20 }), fc.array(fc.integer({ min: 1, max: 40 })), (sizes, cuts) => {
      const all = Buffer.concat([...sizes.map((size) => frame(size)), frame(10, 0x80)]);
      const frames = new GrpcFrames();
      let at = 0;
      for (const cut of cuts) frames.feed(all.subarray(at, (at += cut)));
      frames.feed(all.subarray(at));
      expect(frames.count).toBe(sizes.length);
    }),
  );
});

test('a message counts when its prefix is whole, however much of it never comes', () => {
  const frames = new GrpcFrames();
  frames.feed(frame(4_000_000).subarray(0, 4));
  expect(frames.count).toBe(0);
  frames.feed(Buffer.from([0]));
  expect(frames.count).toBe(1);
});
