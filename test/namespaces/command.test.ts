/** `lateen iptables` as a command, in real network namespaces: set, again, changed, removed, refused. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { startNetwork, whyNoNamespaces, type Host, type Network, type Ran } from '../kit/namespace.ts';

const why = whyNoNamespaces(['iptables', 'ip6tables']);
const legacy = why === null && spawnSync('iptables-legacy', ['--version']).error === undefined;
const CLI = ['cli/main.ts', 'iptables'];

describe.skipIf(why !== null)(`lateen iptables${why === null ? '' : ` (left out: ${why})`}`, () => {
  let network: Network;
  let hosts = 0;
  let host: Host;

  beforeAll(async () => {
    network = await startNetwork();
  });
  afterAll(() => network?.[Symbol.asyncDispose]());

  const fresh = async (): Promise<void> => {
    host = await network.host(`h${++hosts}`);
  };
  const iptables = (...args: readonly string[]): Promise<Ran> => host.run(process.execPath, [...CLI, ...args]);
  /** What the kernel has, without counters and comments. */
  const saved = async (name: string): Promise<string> => {
    const { stdout } = await host.run(name, []);
    return stdout.replace(/^#.*\n/gm, '').replace(/\[\d+:\d+\]/g, '[0:0]');
  };
  const sets = (change: string): RegExp => new RegExp(`^IPv4: ${change} \\(.+\\)\nIPv6: ${change} \\(.+\\)\n$`);

  test('sets what --dry-run prints; again, changes nothing; with other flags, changes that; --clean, leaves nothing', async () => {
    await fresh();
    const all = [
      '--redirect-dns',
      '-x',
      '10.0.0.0/8,fd00::/8,0.0.0.0/0',
      '-o',
      '22',
      '-q',
      '443',
      '-k',
      'vm0',
      '-c',
      'eth9+',
      '-g',
      '5',
    ];
    const none = await saved('iptables-save');
    const first = await iptables(...all);
    assert.match(first.stdout, sets('set'), first.stderr);

    // What is printed needs no privilege, and makes the same rules elsewhere.
    const dry = await host.run(process.execPath, [...CLI, '--dry-run', ...all], { uid: 1000 });
    const [, four = '', six = ''] =
      /^# iptables-restore --noflush\n([^#]+)# ip6tables-restore --noflush\n([^#]+)#/.exec(dry.stdout) ?? [];
    const here = [await saved('iptables-save'), await saved('ip6tables-save')];
    for (const line of four.split('\n'))
      assert.ok(here[0]!.includes(`${line.replace(/^-I (\S+) 1 /, '-A $1 ')}\n`), line);
    const setter = host;
    await fresh();
    for (const [name, input] of [
      ['iptables-restore', four],
      ['ip6tables-restore', six],
    ] as const)
      assert.equal((await host.run(name, ['--noflush'], { input })).code, 0);
    assert.deepEqual([await saved('iptables-save'), await saved('ip6tables-save')], here);
    host = setter;

    const again = await iptables(...all);
    assert.match(again.stdout, sets('unchanged'), again.stderr);
    assert.deepEqual([await saved('iptables-save'), await saved('ip6tables-save')], here);

    const other = await iptables('-o', '23');
    assert.match(other.stdout, sets('replaced'), other.stderr);
    const now = await saved('iptables-save');
    assert.match(now, /--dport 23 -j RETURN/);
    assert.doesNotMatch(now, /--dport (?:22|53|443)|ISTIO_OUTPUT_DNS|ISTIO_PREROUTING|CT --zone/);

    const cleaned = await iptables('--clean');
    assert.match(cleaned.stdout, sets('removed'), cleaned.stderr);
    assert.doesNotMatch((await saved('iptables-save')) + (await saved('ip6tables-save')), /ISTIO/);
    assert.ok((await saved('iptables-save')).includes(none));
    assert.doesNotMatch((await host.run('ip', ['-6', 'address', 'show', 'dev', 'lo'])).stdout, /::6\/128/);
    const cleanedAgain = await iptables('--clean');
    assert.deepEqual([cleanedAgain.code, cleanedAgain.stdout.match(/unchanged/g)?.length], [0, 2]);
  });

  test('takes over from istio-iptables, and leaves the rules of others', async () => {
    await fresh();
    const before = `*nat
:DOCKER - [0:0]
:ISTIO_OUTPUT - [0:0]
:ISTIO_REDIRECT - [0:0]
-A PREROUTING -m comment --comment "of others" -j DOCKER
-A OUTPUT -j ISTIO_OUTPUT
-A ISTIO_OUTPUT -m owner --uid-owner 7 -j ISTIO_REDIRECT
COMMIT
`;
    assert.equal((await host.run('iptables-restore', ['--noflush'], { input: before })).code, 0);
    const { stdout, stderr } = await iptables();
    assert.match(stdout, /^IPv4: replaced .+\nIPv6: set /, stderr);
    const now = await saved('iptables-save');
    assert.match(now, /--comment "of others" -j DOCKER/);
    assert.doesNotMatch(now, /--uid-owner 7|-A OUTPUT -j ISTIO_OUTPUT/);
    assert.equal((await iptables('--clean')).code, 0);
    assert.match(await saved('iptables-save'), /--comment "of others" -j DOCKER/);
  });

  test.skipIf(!legacy)('goes on with the kind of iptables that has its rules', async () => {
    await fresh();
    for (const name of ['iptables-legacy', 'ip6tables-legacy'])
      assert.equal((await host.run(name, ['-t', 'nat', '-N', 'ISTIO_OUTPUT'])).code, 0);
    const set = await iptables('--redirect-dns');
    assert.match(
      set.stdout,
      /^IPv4: replaced \(iptables-legacy, legacy\)\nIPv6: replaced \(ip6tables-legacy, legacy\)\n$/,
      set.stderr,
    );
    assert.match((await iptables('--redirect-dns')).stdout, sets('unchanged'));
    assert.match((await iptables()).stdout, sets('replaced'));
    // Both kinds have some: one is enough.
    assert.equal((await host.run('iptables-nft', ['-t', 'nat', '-N', 'ISTIO_REDIRECT'])).code, 0);
    assert.match((await iptables()).stdout, /^IPv4: replaced \(.*nf_tables\)\n/);
    assert.doesNotMatch(await saved('iptables-legacy-save'), /ISTIO/);
    assert.equal((await iptables('--clean')).code, 0);
    const left = await Promise.all(['iptables-nft-save', 'iptables-legacy-save', 'ip6tables-legacy-save'].map(saved));
    assert.doesNotMatch(left.join(''), /ISTIO/);
  });

  test('does without IPv6 where there is none, and says so', async () => {
    await fresh();
    await host.run('sh', ['-c', 'echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6']);
    const { code, stdout, stderr } = await iptables();
    assert.deepEqual([code, stderr], [0, 'IPv6: not redirected: there is no IPv6 here\n']);
    assert.match(stdout, /^IPv4: set \(.+\)\n$/);
  });

  test('does not leave IPv6 open where ip6tables is missing', async () => {
    await fresh();
    const only4 =
      'mount -t tmpfs none /mnt && cp -a /usr/sbin/iptables* /usr/sbin/xtables* /mnt && mount --bind /mnt /usr/sbin && exec "$@"';
    const bare = (): Promise<Ran> =>
      host.run('unshare', ['--mount', 'sh', '-c', only4, 'sh', process.execPath, ...CLI]);
    const open = await bare();
    assert.equal(open.code, 4);
    assert.match(open.stderr, /ip6tables is not installed\./);
    // What has no address that others could know of needs no rules.
    assert.equal((await host.run('ip', ['-6', 'address', 'flush', 'dev', 'eth0', 'scope', 'global'])).code, 0);
    const closed = await bare();
    assert.equal(closed.code, 0, closed.stderr);
    assert.match(closed.stderr, /^IPv6: not redirected: ip6tables is not installed\. \(Only link-local/);
  });

  test('says what is missing, with an exit code of its own', async () => {
    await fresh();
    const noRoot = await host.run(process.execPath, CLI, { uid: 1000 });
    assert.equal(noRoot.code, 3);
    assert.match(noRoot.stderr, /needs CAP_NET_ADMIN/);
    // A machine without iptables: nothing is where it would be.
    const script = 'mount -t tmpfs none /usr/sbin && mount -t tmpfs none /usr/local/sbin && exec "$@"';
    const bare = await host.run('unshare', ['--mount', 'sh', '-c', script, 'sh', process.execPath, ...CLI]);
    assert.equal(bare.code, 4, bare.stderr);
    assert.match(bare.stderr, /iptables is not installed.\n.*apt-get install iptables/);
    const wrong = await iptables('-b', '80;reboot');
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /--istio-inbound-ports: expected ports/);
    assert.doesNotMatch(await saved('iptables-save'), /ISTIO/);
  });

  test.skipIf(!process.allowedNodeEnvironmentFlags.has('--experimental-ffi'))(
    'koffi finds original destinations where node:ffi is missing',
    async () => {
      await fresh();
      assert.equal((await iptables()).code, 0);
      const server = ['--no-experimental-ffi', 'test/namespaces/server.ts', 'koffi', 'tcp:15001'];
      await host.start(process.execPath, server, { ready: /^ready$/m, uid: 1337 });
      const questions = [
        { host: '192.0.2.1', port: 80 },
        { host: '2001:db8::1:0:0:1', port: 81 },
        { host: '::1', port: 15_001 },
      ];
      const { stdout } = await host.run(process.execPath, ['test/namespaces/ask.ts', JSON.stringify(questions)], {
        uid: 1000,
      });
      assert.deepEqual(JSON.parse(stdout), [
        'koffi:15001 for 192.0.2.1 80',
        'koffi:15001 for 2001:db8::1:0:0:1 81',
        'koffi:15001',
      ]);
    },
  );
});
