import type { NetworkInterfaceInfo } from 'node:os';
import { describe, expect, test } from 'vitest';
import { ownAddress, type Surroundings } from './own-address.ts';

const info = (address: string, internal = false): NetworkInterfaceInfo =>
  ({ address, internal, family: address.includes(':') ? 'IPv6' : 'IPv4' }) as NetworkInterfaceInfo;
const LO = { lo: [info('127.0.0.1', true), info('::1', true)] };

/** A machine with these interfaces on which a name has these addresses, one list for each time it is asked. */
function machine(
  interfaces: NodeJS.Dict<NetworkInterfaceInfo[]>,
  ...answers: (readonly string[] | string)[]
): Surroundings & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    addressesOf: (name) => {
      const answer = answers[Math.min(asked.push(name), answers.length) - 1]!;
      return typeof answer === 'string'
        ? Promise.reject(Object.assign(new Error(answer), { code: answer }))
        : Promise.resolve(answer);
    },
    interfaces: () => interfaces,
    patienceMs: answers.length > 1 ? 60_000 : 0,
    retryMs: 1,
  };
}

const POD = { ...LO, eth0: [info('172.20.0.5'), info('fe80::1')] };

describe('--ip', () => {
  test('takes addresses as they are, and asks nobody', async () => {
    const around = machine(POD);
    expect(await ownAddress('127.0.0.5', around)).toBe('127.0.0.5');
    expect(await ownAddress('10.9.9.9', around)).toBe('10.9.9.9');
    expect(await ownAddress('fd00::1', around)).toBe('fd00::1');
    expect(around.asked).toEqual([]);
  });

  test('takes a name, as soon as it is known and stands for an address from here', async () => {
    const around = machine(POD, 'ENOTFOUND', 'EAI_AGAIN', ['172.20.0.4'], ['fd00::9', '172.20.0.4', '172.20.0.5']);
    expect(await ownAddress('reviews-v1-pod', around)).toBe('172.20.0.5');
    expect(around.asked).toEqual(Array(4).fill('reviews-v1-pod'));
    expect(await ownAddress('localhost', machine(POD, ['127.0.0.1']))).toBe('127.0.0.1');
  });

  test('says it when nobody knows the name, or it stands for somebody else', async () => {
    await expect(ownAddress('reviews-v1', machine(POD, 'ENOTFOUND'))).rejects.toMatchObject({
      message: '--ip reviews-v1: nobody knew this name in 0 s (ENOTFOUND).',
      exitCode: 1,
    });
    await expect(ownAddress('reviews-v1', machine(POD, ['172.20.0.9']))).rejects.toMatchObject({
      message: '--ip reviews-v1: it stands for 172.20.0.9, which is no address of this network namespace.',
      hint: 'Those are 127.0.0.1, ::1, 172.20.0.5, fe80::1. Is the proxy in the network namespace that it should be in?',
    });
  });

  test('auto: the only IPv4 address but that of loopback', async () => {
    expect(await ownAddress('auto', machine(POD))).toBe('172.20.0.5');
    await expect(ownAddress('auto', machine(LO))).rejects.toThrow('has no IPv4 address but that of loopback');
    await expect(ownAddress('auto', machine({ ...POD, eth1: [info('10.0.0.2')] }))).rejects.toMatchObject({
      message: '--ip auto: this network namespace has several addresses: 172.20.0.5 (eth0), 10.0.0.2 (eth1).',
      hint: 'Say which one with --ip.',
    });
  });

  for (const text of [
    '',
    '999.1.1.1',
    '10.0.0',
    '1',
    'a b',
    'http://reviews',
    '-reviews',
    'fe80::1%eth0',
    'a'.repeat(254),
  ])
    test(`refuses ${JSON.stringify(text.slice(0, 20))}`, async () => {
      const around = machine(POD, 'ENOTFOUND');
      await expect(ownAddress(text, around)).rejects.toMatchObject({
        message: `Expected an IP address, a host name or auto for --ip, got "${text}".`,
        exitCode: 2,
      });
      expect(around.asked).toEqual([]);
    });
});
