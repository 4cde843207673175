import { describe, expect, test } from 'vitest';
import { Backlog } from './backlog.ts';
import type { StoreEvent } from './store.ts';

const event = (revision: number): StoreEvent => ({
  type: 'ADDED',
  resource: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'default' }, spec: {} },
  before: null,
  revision,
});
const filled = (count: number, characters: number, limits: { events: number; characters: number }): Backlog => {
  const backlog = new Backlog(0, limits);
  for (let i = 1; i <= count; i++) backlog.push(event(i), characters);
  return backlog;
};
const revisions = (backlog: Backlog, from: number): number[] | undefined =>
  backlog.since(from)?.map(({ revision }) => revision);

describe('backlog', () => {
  test('what came after a revision is told, oldest first', () => {
    const backlog = filled(4, 1, { events: 10, characters: 100 });
    expect(revisions(backlog, 0)).toEqual([1, 2, 3, 4]);
    expect(revisions(backlog, 2)).toEqual([3, 4]);
    expect(revisions(backlog, 4)).toEqual([]);
  });

  for (const { by, characters } of [
    { by: 'many changes', characters: 1 },
    { by: 'few large ones', characters: 10 },
  ]) {
    test(`${by} push the oldest out, and who lags behind those must list again`, () => {
      const backlog = filled(13, characters, { events: 10, characters: characters * 10 });
      expect(backlog.since(0)).toBeNull();
      expect(backlog.since(2)).toBeNull();
      expect(revisions(backlog, 3)).toEqual([4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
    });
  }

  test('a change larger than all that may be held is heard by those who listen, and kept for nobody', () => {
    const backlog = filled(1, 1000, { events: 10, characters: 100 });
    expect(backlog.since(0)).toBeNull();
    expect(revisions(backlog, 1)).toEqual([]);
  });
});
