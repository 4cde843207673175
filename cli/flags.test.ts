import { describe, expect, test } from 'vitest';
import {
  appPort,
  bytes,
  count,
  dnsServer,
  dockerSocket,
  each,
  labels,
  milliseconds,
  networks,
  percent,
  port,
  portMap,
  url,
  wholeNumber,
} from './flags.ts';

describe('values of options', () => {
  test.each([
    [port, '0', 0],
    [port, '65535', 65535],
    [count, '3', 3],
    [wholeNumber, '0', 0],
    [bytes, '61440', 61_440],
    [bytes, '512Mi', 536_870_912],
    [percent, '0.5', 0.5],
    [milliseconds, '5', 5000],
    [milliseconds, '1.5s', 1500],
    [milliseconds, '200ms', 200],
    [url, 'localhost:8001', 'http://localhost:8001'],
    [dockerSocket, 'unix:///run/docker.sock', '/run/docker.sock'],
    [dockerSocket, 'true', '/var/run/docker.sock'],
    [dockerSocket, '', undefined],
    [url, 'https://x/y/', 'https://x/y'],
    [networks, 'auto', 'auto'],
    [networks, '10.1.0.0/16, fd00::/8', ['10.1.0.0/16', 'fd00::/8']],
    [labels, 'app=a, version=v1', { app: 'a', version: 'v1' }],
    [labels, '', {}],
    [portMap, '80=8080,443=8443', { 80: 8080, 443: 8443 }],
    [appPort, '9080=127.0.0.1:41234', ['9080', { host: '127.0.0.1', port: 41234 }]],
    [appPort, '9080=41234', ['9080', { host: '127.0.0.1', port: 41234 }]],
    [dnsServer(53), '10.0.0.1', { host: '10.0.0.1', port: 53 }],
    [dnsServer(53), '10.0.0.1:5353', { host: '10.0.0.1', port: 5353 }],
    [dnsServer(53), '::1', { host: '::1', port: 53 }],
    [dnsServer(53), '[::1]:5353', { host: '::1', port: 5353 }],
  ] as const)('%o reads %s', (read, text, expected) => expect(read(text)).toEqual(expected));

  test.each([
    [port, '65536'],
    [port, '-1'],
    [port, 'http'],
    [dnsServer(53), 'ns.example'],
    [dnsServer(53), '10.0.0.1:'],
    [dnsServer(53), '10.0.0.1:65536'],
    [count, '0'],
    [wholeNumber, '-1'],
    [bytes, '1.5Gi'],
    [percent, '101'],
    [percent, ''],
    [milliseconds, 'soon'],
    [url, 'ftp://x'],
    [dockerSocket, 'false'],
    [labels, 'app'],
    [portMap, '80=http'],
    [appPort, '9080'],
  ] as const)('%o refuses %s, saying what it expected', (read, text) =>
    expect(() => read(text)).toThrow(/^Expected .+ got "/),
  );

  test('an option may be given again', () => expect(each(count)('2', [1])).toEqual([1, 2]));
});
