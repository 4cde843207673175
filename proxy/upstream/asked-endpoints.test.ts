import { describe, expect, test } from 'vitest';
import type { LiveEndpoint } from '../live/endpoint.ts';
import { AskedEndpoints } from './asked-endpoints.ts';

function asked(): {
  asked: AskedEndpoints;
  retired: LiveEndpoint[];
  add: (from: number, to: number) => LiveEndpoint[];
} {
  const retired: LiveEndpoint[] = [];
  const endpoints = new AskedEndpoints((endpoint) => retired.push(endpoint));
  const add = (from: number, to: number): LiveEndpoint[] =>
    Array.from({ length: to - from }, (_, i) => endpoints.add(`10.0.${(from + i) >> 8}.${(from + i) & 255}`, 80));
  return { asked: endpoints, retired, add };
}

describe('endpoints that were asked for', () => {
  test('are found by address and port', () => {
    const { asked: endpoints } = asked();
    const one = endpoints.add('10.0.0.1', 80);
    const other = endpoints.add('10.0.0.1', 81);
    const name = endpoints.add('db.example', 80);
    expect(endpoints.get('10.0.0.1', 80)).toBe(one);
    expect(endpoints.get('10.0.0.1', 81)).toBe(other);
    expect(endpoints.get('db.example', 80)).toBe(name);
    expect(endpoints.get('10.0.0.2', 80)).toBeUndefined();
  });

  test('are 1000; the oldest goes first', () => {
    const { asked: endpoints, retired, add } = asked();
    const [first, second] = add(0, 1000);
    expect(retired).toEqual([]);
    add(1000, 1002);
    expect(retired).toEqual([first, second]);
    expect(endpoints.list).toHaveLength(1000);
    expect(endpoints.get(first!.address, 80)).toBeUndefined();
    add(1002, 5000);
    expect(endpoints.list).toHaveLength(1000);
    expect(new Set(endpoints.list.map((e) => e.key)).size).toBe(1000);
    for (const endpoint of endpoints.list) expect(endpoints.get(endpoint.address, 80)).toBe(endpoint);
  });

  test('stay while they are in use', () => {
    const { asked: endpoints, retired, add } = asked();
    const [first, second, third] = add(0, 1000);
    first!.active = 1;
    second!.active = 2;
    add(1000, 1001);
    expect(retired).toEqual([third]);
    expect(endpoints.get(first!.address, 80)).toBe(first);
  });

  test('are more when all are in use, and 1000 again later', () => {
    const { asked: endpoints, retired, add } = asked();
    for (const endpoint of add(0, 1000)) endpoint.active = 1;
    for (const endpoint of add(1000, 1010)) endpoint.active = 1;
    expect([endpoints.list.length, retired.length]).toEqual([1010, 0]);
    for (const endpoint of endpoints.list) endpoint.active = 0;
    add(2000, 2020);
    expect(endpoints.list).toHaveLength(1000);
    for (const endpoint of endpoints.list) expect(endpoints.get(endpoint.address, 80)).toBe(endpoint);
    expect(retired).toHaveLength(30);
  });
});
