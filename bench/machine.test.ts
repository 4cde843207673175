import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { firstVersion, machineId } from './machine.ts';

describe('the machine', () => {
  for (const { cpu, id } of [
    { cpu: 'AMD EPYC', id: '2-core-amd-epyc' },
    { cpu: 'Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz', id: '2-core-intel-xeon-platinum-8481c' },
    { cpu: 'Apple M3 Pro', id: '2-core-apple-m3-pro' },
    { cpu: '', id: '2-core-unknown' },
  ]) {
    test(`"${cpu}" with two cores is called ${id}`, () => assert.equal(machineId({ cpu, cores: 2 }), id));
  }

  for (const { text, version } of [
    { text: 'nginx version: nginx/1.22.1', version: '1.22.1' },
    { text: 'wrk debian/4.1.0-3 [epoll]', version: '4.1.0' },
    { text: 'envoy  version: 4ba0/1.40.0/Clean/RELEASE/BoringSSL', version: '1.40.0' },
    { text: 'none', version: null },
  ]) {
    test(`the version in "${text}" is ${version}`, () => assert.equal(firstVersion(text), version));
  }
});
