import { expect, test } from 'vitest';
import { parseResolvConf, withoutSelf } from './resolv-conf.ts';

test('resolv.conf as a kubelet writes it', () => {
  const conf = parseResolvConf(
    'search default.svc.cluster.local svc.cluster.local. Cluster.Local\nnameserver 10.96.0.10\noptions ndots:5\n',
  );
  expect(conf).toEqual({
    servers: [{ host: '10.96.0.10', port: 53 }],
    search: ['default.svc.cluster.local', 'svc.cluster.local', 'cluster.local'],
  });
});

test('resolv.conf as people write it: comments, names for servers, more than libc takes, several lists', () => {
  const conf = parseResolvConf(
    '# nameserver 1.1.1.1\n; x\nnameserver ns.example\nnameserver ::1\nnameserver\t10.0.0.2 # two\nnameserver 10.0.0.3\n' +
      'nameserver 10.0.0.4\nsearch a.example\ndomain b.example\nnameserver\n',
  );
  expect(conf.servers.map((s) => s.host)).toEqual(['::1', '10.0.0.2', '10.0.0.3']);
  expect(conf.search).toEqual(['b.example']);
  expect(parseResolvConf('')).toEqual({ servers: [], search: [] });
});

test.each([
  [['127.0.0.1', 53], ['127.0.0.1', 53], false],
  [['127.0.0.1', 53], ['127.0.0.1', 15053], true],
  [['127.0.0.53', 53], ['127.0.0.1', 53], true],
  [['::1', 53], ['0:0:0:0:0:0:0:1', 53], false],
  [['127.0.0.53', 53], ['0.0.0.0', 53], false],
  [['10.0.0.7', 53], ['0.0.0.0', 53], false],
  [['10.0.0.8', 53], ['0.0.0.0', 53], true],
] as const)('asking %o, listening on %o', ([host, port], [ownHost, ownPort], kept) => {
  const servers = withoutSelf([{ host, port }], [{ host: ownHost, port: ownPort }], ['10.0.0.7']);
  expect(servers.length === 1).toBe(kept);
});
