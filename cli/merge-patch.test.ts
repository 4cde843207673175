import { expect, test } from 'vitest';
import { mergePatch, type JsonObject } from './merge-patch.ts';

test.each<{ it: string; last: JsonObject | null; written: JsonObject; live: JsonObject; patch: JsonObject | null }>([
  { it: 'nothing to do', last: { a: 1 }, written: { a: 1 }, live: { a: 1 }, patch: null },
  {
    it: 'a value that differs is set',
    last: { a: 1 },
    written: { a: 2, b: { c: 1 } },
    live: { a: 1, b: { c: 1, d: 2 } },
    patch: { a: 2 },
  },
  {
    it: 'what is written no more is removed',
    last: { a: 1, b: { c: 1, d: 1 } },
    written: { a: 1, b: { c: 1 } },
    live: { a: 1, b: { c: 1, d: 1 } },
    patch: { b: { d: null } },
  },
  { it: 'what nobody wrote stays', last: { a: 1 }, written: { a: 1 }, live: { a: 1, status: 'x' }, patch: null },
  { it: 'what somebody else changed is set back', last: { a: 1 }, written: { a: 1 }, live: { a: 3 }, patch: { a: 1 } },
  {
    it: 'what is gone already need not be removed',
    last: { a: 1, b: 1 },
    written: { a: 1 },
    live: { a: 1 },
    patch: null,
  },
  {
    it: 'defaults inside of lists are no difference',
    last: null,
    written: { ports: [{ port: 80 }] },
    live: { ports: [{ port: 80, protocol: 'TCP' }] },
    patch: null,
  },
  {
    it: 'a list that differs is replaced whole',
    last: null,
    written: { ports: [{ port: 81 }] },
    live: { ports: [{ port: 80, protocol: 'TCP' }] },
    patch: { ports: [{ port: 81 }] },
  },
  { it: 'a shorter list is a difference', last: null, written: { l: [1] }, live: { l: [1, 2] }, patch: { l: [1] } },
])('$it', ({ last, written, live, patch }) => expect(mergePatch(last, written, live)).toEqual(patch));
