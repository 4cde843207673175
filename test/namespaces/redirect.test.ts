/** The rules of `lateen iptables`, in the kernel: who is redirected, where to, and who is not. */
import assert from 'node:assert/strict';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { startNetwork, whyNoNamespaces, type Host, type Network, type Ran } from '../kit/namespace.ts';
import type { Question } from './ask.ts';

const why = whyNoNamespaces(['iptables', 'ip6tables']);
const required = process.env['LATEEN_REQUIRE_TOOLS'] === '1';
test.runIf(required)('network namespaces can be made where they are required', () => assert.equal(why, null));

const APP = { uid: 1000 };
const PROXY = { uid: 1337 };
/** Nobody has these: RFC 5737, RFC 3849. */
const [NOWHERE, NOWHERE6] = ['192.0.2.1', '2001:db8::1'];
const [FAR, FAR6] = ['10.203.9.9', 'fd42:cafe:9::9'];

describe.skipIf(why !== null)(`a pod with redirect rules${why === null ? '' : ` (left out: ${why})`}`, () => {
  let network: Network;
  let pod: Host;
  let peer: Host;

  beforeAll(async () => {
    network = await startNetwork();
    pod = await network.host('pod');
    peer = await network.host('peer', [FAR, FAR6]);
    const ready = /^ready$/m;
    const node = (host: Host, name: string, ports: readonly string[], options: object): Promise<unknown> =>
      host.start(process.execPath, ['test/namespaces/server.ts', name, ...ports], { ready, ...options });
    await Promise.all([
      node(pod, 'proxy', ['tcp:15001', 'tcp:15006', 'tcp:15053', 'udp:15053'], PROXY),
      node(pod, 'app', ['tcp:8080', 'tcp:9090', 'tcp:15021'], {}),
      node(peer, 'peer', ['tcp:22', 'tcp:80', 'tcp:443', 'tcp:53', 'udp:53'], { env: { UDP_ADDRESSES: peer.ip } }),
    ]);
  });
  afterAll(() => network?.[Symbol.asyncDispose]());

  const iptables = (...args: readonly string[]): Promise<Ran> =>
    pod.run(process.execPath, ['cli/main.ts', 'iptables', ...args]);
  const set = async (...args: readonly string[]): Promise<void> => {
    const { code, stderr } = await iptables(...args);
    assert.equal(code, 0, stderr);
  };
  const ask = async (host: Host, as: object, questions: readonly Question[]): Promise<string[]> => {
    const { stdout, stderr } = await host.run(
      process.execPath,
      ['test/namespaces/ask.ts', JSON.stringify(questions)],
      as,
    );
    assert.equal(stderr, '');
    return JSON.parse(stdout) as string[];
  };
  /** Asks all at once, and compares with what each is to say. */
  const expectAnswers = async (
    host: Host,
    as: object,
    table: readonly (readonly [Question['host'], number, string, Partial<Question>?])[],
  ): Promise<void> => {
    const asked = table.map(([to, port, , more]) => ({ host: to, port, ...more }));
    assert.deepEqual(
      await ask(host, as, asked),
      table.map(([, , answer]) => answer),
    );
  };

  describe('when nothing else is said', () => {
    beforeAll(() => set());

    test('what the application sends anywhere comes to the proxy, with where it wanted to go', async () => {
      await expectAnswers(pod, APP, [
        [peer.ip, 80, `proxy:15001 for ${peer.ip} 80`],
        [peer.ipv6, 80, `proxy:15001 for ${peer.ipv6} 80`],
        [peer.ip, 22, `proxy:15001 for ${peer.ip} 22`],
        [NOWHERE, 4711, `proxy:15001 for ${NOWHERE} 4711`],
        [NOWHERE6, 4711, `proxy:15001 for ${NOWHERE6} 4711`],
      ]);
    });

    test('what the application sends to itself does not', async () => {
      await expectAnswers(pod, APP, [
        ['127.0.0.1', 8080, 'app:8080'],
        ['127.0.0.2', 8080, 'app:8080'],
        ['::1', 8080, 'app:8080'],
        [pod.ip, 8080, 'app:8080'],
        [pod.ipv6, 8080, 'app:8080'],
      ]);
    });

    test('what the proxy sends goes where it wants, but by itself when that is its own pod', async () => {
      await expectAnswers(pod, PROXY, [
        [peer.ip, 80, 'peer:80'],
        [peer.ipv6, 80, 'peer:80'],
        ['127.0.0.1', 8080, 'app:8080'],
        [pod.ip, 8080, `proxy:15006 for ${pod.ip} 8080`],
        [pod.ipv6, 8080, `proxy:15006 for ${pod.ipv6} 8080`],
        // As it brings to the application what has come in.
        [pod.ip, 8080, 'app:8080', { localAddress: '127.0.0.6' }],
        [pod.ipv6, 8080, 'app:8080', { localAddress: '::6' }],
      ]);
    });

    test('what comes in comes to the proxy, with the port it was meant for', async () => {
      await expectAnswers(peer, {}, [
        [pod.ip, 8080, `proxy:15006 for ${pod.ip} 8080`],
        [pod.ipv6, 9090, `proxy:15006 for ${pod.ipv6} 9090`],
        [pod.ip, 4711, `proxy:15006 for ${pod.ip} 4711`],
        [pod.ip, 15_001, `proxy:15006 for ${pod.ip} 15001`],
        // Nothing was redirected: it came for this very port.
        [pod.ip, 15_006, 'proxy:15006'],
        // Excluded by default: probes and metrics of the proxy.
        [pod.ip, 15_021, 'app:15021'],
        [pod.ipv6, 15_021, 'app:15021'],
      ]);
    });
  });

  test('outbound ranges and ports can be excluded', async () => {
    await set('-x', '10.203.9.7/24,fd42:cafe:9::/48', '-o', '22');
    await expectAnswers(pod, APP, [
      [FAR, 80, 'peer:80'],
      [FAR6, 80, 'peer:80'],
      [peer.ip, 22, 'peer:22'],
      [peer.ipv6, 22, 'peer:22'],
      [peer.ip, 80, `proxy:15001 for ${peer.ip} 80`],
      [peer.ipv6, 80, `proxy:15001 for ${peer.ipv6} 80`],
    ]);
  });

  test('outbound ranges can be chosen, and ports besides', async () => {
    await set('-i', '10.203.9.0/24,fd42:cafe:9::/48', '-q', '443');
    await expectAnswers(pod, APP, [
      [FAR, 80, `proxy:15001 for ${FAR} 80`],
      [FAR6, 80, `proxy:15001 for ${FAR6} 80`],
      [peer.ip, 80, 'peer:80'],
      [peer.ipv6, 80, 'peer:80'],
      [peer.ip, 443, `proxy:15001 for ${peer.ip} 443`],
      [peer.ipv6, 443, `proxy:15001 for ${peer.ipv6} 443`],
    ]);
    await set('-i', '');
    await expectAnswers(pod, APP, [[FAR, 80, 'peer:80']]);
  });

  test('inbound ports can be chosen, or excluded', async () => {
    await set('-b', '8080', '-d', '8080');
    await expectAnswers(peer, {}, [
      [pod.ip, 8080, `proxy:15006 for ${pod.ip} 8080`],
      [pod.ip, 9090, 'app:9090'],
    ]);
    await set('-d', '9090');
    await expectAnswers(peer, {}, [
      [pod.ip, 9090, 'app:9090'],
      [pod.ipv6, 9090, 'app:9090'],
      [pod.ip, 15_021, `proxy:15006 for ${pod.ip} 15021`],
    ]);
    await set('-b', '');
    await expectAnswers(peer, {}, [
      [pod.ip, 8080, 'app:8080'],
      // Nobody else can send by the way out of this pod.
      [pod.ip, 15_001, `proxy:15006 for ${pod.ip} 15001`],
    ]);
  });

  test('interfaces can be excluded, both ways', async () => {
    await set('-c', 'eth0', '--redirect-dns');
    await expectAnswers(pod, APP, [
      [peer.ip, 80, 'peer:80'],
      [peer.ip, 53, 'peer:53', { udp: true }],
    ]);
    await expectAnswers(peer, {}, [[pod.ip, 8080, 'app:8080']]);
  });

  test('what comes in from a virtual machine is outbound', async () => {
    await set('-k', 'eth0', '-x', `${pod.ip}/32`, '-o', '9090');
    await expectAnswers(peer, {}, [
      [pod.ip, 8080, 'app:8080'],
      [pod.ipv6, 8080, `proxy:15001 for ${pod.ipv6} 8080`],
      [pod.ipv6, 9090, 'app:9090'],
    ]);
  });

  test('other ports and users can be named', async () => {
    await set('-p', '15006', '-z', '15001', '-u', '1000', '-g', '5000,5001');
    await expectAnswers(pod, PROXY, [[peer.ip, 80, `proxy:15006 for ${peer.ip} 80`]]);
    await expectAnswers(pod, APP, [[peer.ip, 80, 'peer:80']]);
    await expectAnswers(pod, { uid: 1001, gid: 5001 }, [[peer.ip, 80, 'peer:80']]);
    await expectAnswers(peer, {}, [[pod.ip, 8080, `proxy:15001 for ${pod.ip} 8080`]]);
  });

  test('DNS queries of the application come to the proxy, those of the proxy go where they want', async () => {
    await set('--redirect-dns');
    const udp = true;
    await expectAnswers(pod, APP, [
      [peer.ip, 53, 'proxy:15053', { udp, localPort: 40_000 }],
      [NOWHERE, 53, 'proxy:15053', { udp }],
      [NOWHERE6, 53, 'proxy:15053', { udp }],
      ['127.0.0.53', 53, 'proxy:15053', { udp }],
      [peer.ip, 53, `proxy:15053 for ${peer.ip} 53`],
      ['127.0.0.53', 53, 'proxy:15053 for 127.0.0.53 53'],
      [peer.ip, 80, `proxy:15001 for ${peer.ip} 80`],
      ['127.0.0.1', 8080, 'app:8080'],
    ]);
    // From the very port that the application has just used: each has connection tracking of its own.
    await expectAnswers(pod, PROXY, [
      [peer.ip, 53, 'peer:53', { udp, localPort: 40_000 }],
      [peer.ip, 53, 'peer:53'],
    ]);
    await expectAnswers(pod, APP, [[peer.ip, 53, 'proxy:15053', { udp, localPort: 40_000 }]]);
  });

  test('while rules are replaced, no connection gets past them', async () => {
    await set();
    const changes = (async () => {
      for (const args of [['-o', '22'], [], ['-x', '198.51.100.0/24', '--redirect-dns'], []]) await set(...args);
    })();
    let answers: string[] = [];
    const over = new AbortController();
    void changes.finally(() => over.abort()).catch(() => {});
    while (!over.signal.aborted) {
      const questions = Array.from({ length: 200 }, () => ({ host: peer.ip, port: 80 }));
      answers = [...answers, ...(await ask(pod, APP, questions))];
    }
    await changes;
    assert.deepEqual([...new Set(answers)], [`proxy:15001 for ${peer.ip} 80`]);
  });
});
