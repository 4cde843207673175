import { describe, expect, test } from 'vitest';
import { frame } from './fake-engine.ts';
import { FrameReader } from './frames.ts';

function read(...chunks: readonly Buffer[]): string {
  let seen = '';
  const reader = new FrameReader((output, bytes) => (seen += `${output}:${String(bytes)} `));
  for (const chunk of chunks) reader.push(chunk);
  return seen.trim();
}

describe('frames', () => {
  const bytes = Buffer.concat([frame(1, 'one'), frame(2, ''), frame(2, 'two'), frame(0, 'in'), frame(3, 'broken')]);
  const whole = 'stdout:one stderr:two stdout:in stderr:broken';

  test('come apart, in order', () => expect(read(bytes)).toBe(whole));

  test('come apart wherever the stream is cut', () => {
    const joined = (text: string): string => text.replace(/ (std\w+):/g, (_, name) => `|${name}:`);
    for (let at = 1; at < bytes.length; at++) {
      const parts = joined(read(bytes.subarray(0, at), bytes.subarray(at))).split('|');
      const merged = parts.reduce<string[]>((sofar, part) => {
        const [name = '', text = ''] = part.split(':');
        if (sofar.at(-1)?.startsWith(`${name}:`) === true) sofar.push(sofar.pop()! + text);
        else sofar.push(part);
        return sofar;
      }, []);
      expect(merged.join(' '), `cut at ${at}`).toBe(whole);
    }
  });

  test('a payload is handed on before the frame is complete: its length is only said', () => {
    expect(read(Buffer.from([1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x61]), Buffer.from('b'))).toBe('stdout:a stdout:b');
  });

  test.for([
    ['another kind of frame', Buffer.from([4, 0, 0, 0, 0, 0, 0, 1])],
    ['plain text', Buffer.from('hello world')],
    ['a head that is not empty where it should be', Buffer.from([1, 0, 1, 0, 0, 0, 0, 1])],
  ] as const)('%s is refused', ([, chunk]) => {
    expect(() => read(chunk)).toThrow(/expected the head of a frame of Docker's stream, got bytes [0-9a-f]{16}/);
  });
});
