import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { append, get, getAll, getJoined, indexOf, remove, set } from './header-list.ts';

describe('a header list', () => {
  test('finds names blind to their case, in order', () => {
    const list = ['Host', 'a', 'X-A', '1', 'x-a', '2'];
    assert.equal(get(list, 'x-a'), '1');
    assert.deepEqual(getAll(list, 'x-a'), ['1', '2']);
    assert.equal(getJoined(list, 'x-a'), '1,2');
    assert.equal(indexOf(list, 'x-a', 4), 4);
    assert.equal(get(list, 'x-b'), undefined);
  });

  test('sets one value in the place and case of the first', () => {
    const list = ['X-A', '1', 'Host', 'a', 'x-a', '2'];
    set(list, 'x-a', '3');
    assert.deepEqual(list, ['X-A', '3', 'Host', 'a']);
    set(list, 'x-b', '4', 'X-B');
    assert.deepEqual(list, ['X-A', '3', 'Host', 'a', 'X-B', '4']);
  });

  test('removes every occurrence', () => {
    const list = ['X-A', '1', 'Host', 'a', 'x-a', '2'];
    assert.equal(remove(list, 'x-a'), true);
    assert.equal(remove(list, 'x-a'), false);
    append(list, 'B', '1');
    assert.deepEqual(list, ['Host', 'a', 'B', '1']);
  });
});
