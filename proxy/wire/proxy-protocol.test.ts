import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, test } from 'vitest';
import { crc32c } from './crc32c.ts';
import { proxyHeader, readProxyHeader, type ProxiedAddresses } from './proxy-protocol.ts';

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

const ends = (source: string, sourcePort: number, destination: string, destinationPort: number): ProxiedAddresses => ({
  sourceAddress: source,
  sourcePort,
  destinationAddress: destination,
  destinationPort,
});

/** What is read of `bytes` and of each of its beginnings, which must be `more` until it is told. */
function read(bytes: Buffer): ReturnType<typeof readProxyHeader> {
  const whole = readProxyHeader(bytes);
  const meant = JSON.stringify(whole);
  let told = false;
  for (let cut = 0; cut < bytes.length; cut++) {
    const part = readProxyHeader(bytes.subarray(0, cut));
    told ||= part.kind !== 'more';
    if (told) assert.equal(JSON.stringify(part), meant, `${cut} bytes`);
  }
  return whole;
}

const why = (bytes: Buffer): string => {
  const reading = read(bytes);
  return reading.kind === 'broken' ? reading.why : reading.kind;
};

describe('version 1', () => {
  const GOOD: readonly (readonly [line: string, ProxiedAddresses | null])[] = [
    ['TCP4 10.0.0.1 10.0.0.2 1 65535', ends('10.0.0.1', 1, '10.0.0.2', 65535)],
    ['TCP4 255.255.255.255 255.255.255.255 65535 65535', ends('255.255.255.255', 65535, '255.255.255.255', 65535)],
    ['TCP4 10.0.0.1 10.0.0.2 0 0', ends('10.0.0.1', 0, '10.0.0.2', 0)],
    ['TCP6 2001:DB8::1 ::1 80 443', ends('2001:db8::1', 80, '::1', 443)],
    ['TCP6 ::ffff:10.0.0.1 ::1 80 443', ends('10.0.0.1', 80, '::1', 443)],
    [
      `TCP6 ${'ffff:'.repeat(7)}ffff ${'fffe:'.repeat(7)}fffe 65535 65535`,
      ends(`${'ffff:'.repeat(7)}ffff`, 65535, `${'fffe:'.repeat(7)}fffe`, 65535),
    ],
    ['UNKNOWN', null],
    ['UNKNOWN ffff:f...f:ffff and whatever', null],
  ];
  for (const [line, addresses] of GOOD) {
    test(`reads ${line}`, () => {
      const text = `PROXY ${line}\r\n`;
      assert.deepEqual(read(latin1(text + 'GET')), { kind: 'header', length: text.length, addresses });
    });
  }

  const BAD: readonly (readonly [text: string, why: string])[] = [
    ['PROXY TCP4 10.0.0.1 10.0.0.2 01 2\r\n', 'not a port'],
    ['PROXY TCP4 10.0.0.1 10.0.0.2 1 65536\r\n', 'not a port'],
    ['PROXY TCP4 10.0.0.1 10.0.0.2 1 000080\r\n', 'not a port'],
    ['PROXY TCP4 10.0.0.1 10.0.0.2 -1 2\r\n', 'not a line of the protocol'],
    ['PROXY TCP4 10.0.0.01 10.0.0.2 1 2\r\n', 'not an address of its family'],
    ['PROXY TCP4 10.0.0.256 10.0.0.2 1 2\r\n', 'not an address of its family'],
    ['PROXY TCP4 ::1 10.0.0.2 1 2\r\n', 'not a line of the protocol'],
    ['PROXY TCP6 ::1 10.0.0.2 1 2\r\n', 'not an address of its family'],
    ['PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n', 'not a line of the protocol'],
    ['PROXY TCP6 1::2::3 ::1 1 2\r\n', 'not an address of its family'],
    ['PROXY UDP4 10.0.0.1 10.0.0.2 1 2\r\n', 'not a line of the protocol'],
    ['PROXY  TCP4 10.0.0.1 10.0.0.2 1 2\r\n', 'not a line of the protocol'],
    ['PROXY TCP4 10.0.0.1  10.0.0.2 1 2\r\n', 'not a line of the protocol'],
    ['PROXY TCP4 10.0.0.1 10.0.0.2 1 2 \r\n', 'not a line of the protocol'],
    ['PROXY TCP4 10.0.0.1 10.0.0.2 1\r\n', 'not a line of the protocol'],
    ['PROXY tcp4 10.0.0.1 10.0.0.2 1 2\r\n', 'not a line of the protocol'],
    ['PROXY UNKNOWNX\r\n', 'not a line of the protocol'],
    ['PROXY \r\n', 'not a line of the protocol'],
    ['PROXY TCP4 10.0.0.1 10.0.0.2 1 2\n', 'a line feed alone'],
    ['PROXY TCP4 10.0.0.1 10.0.0.2 1 2\rx\n', 'a carriage return alone'],
    [`PROXY UNKNOWN ${'x'.repeat(92)}\r\n`, 'a line of more than 107 bytes'],
    [`PROXY UNKNOWN ${'x'.repeat(93)}`, 'a line of more than 107 bytes'],
    [`PROXY UNKNOWN ${'x'.repeat(91)}\n`, 'a line feed alone'],
  ];
  for (const [text, reason] of BAD)
    test(`refuses ${JSON.stringify(text).slice(0, 60)}: ${reason}`, () =>
      assert.equal(why(latin1(text)), `version 1: ${reason}`));

  test('takes a line of 107 bytes, and says what is no header at all', () => {
    const longest = latin1(`PROXY UNKNOWN ${'x'.repeat(91)}\r\n`);
    assert.deepEqual(read(longest), { kind: 'header', length: 107, addresses: null });
    for (const text of ['GET / HTTP/1.1', 'PROXYTCP4', 'proxy TCP4', '\r\nPROXY', '\x16\x03\x01'])
      assert.deepEqual(read(latin1(text)), { kind: 'none' });
  });
});

/** A header of version 2; `crc`: with the right checksum behind all else. */
function v2(verCmd: number, family: number, block: Buffer, crc = false): Buffer {
  const size = block.length + (crc ? 7 : 0);
  const head = Buffer.concat([
    latin1('\r\n\r\n\0\r\nQUIT\n'),
    Buffer.from([verCmd, family, size >> 8, size & 255]),
    block,
  ]);
  if (!crc) return head;
  const bytes = Buffer.concat([head, Buffer.from([3, 0, 4, 0, 0, 0, 0])]);
  bytes.writeUInt32BE(crc32c(bytes), bytes.length - 4);
  return bytes;
}

const INET = Buffer.from([10, 0, 0, 1, 10, 0, 0, 2, 0, 80, 1, 187]);
const ADDRESSES = ends('10.0.0.1', 80, '10.0.0.2', 443);
const with4 = (...tlvs: readonly number[]): Buffer => Buffer.concat([INET, Buffer.from(tlvs)]);

describe('version 2', () => {
  test('reads what it should', () => {
    const six = Buffer.alloc(36);
    six[0] = 0x20;
    six[31] = 1;
    for (const [bytes, addresses] of [
      [v2(0x21, 0x11, INET), ADDRESSES],
      [v2(0x21, 0x11, with4(4, 0, 2, 0, 0, 1, 0, 0)), ADDRESSES],
      [v2(0x21, 0x11, INET, true), ADDRESSES],
      [v2(0x21, 0x11, with4(0xe0, 0, 1, 7), true), ADDRESSES],
      [v2(0x21, 0x21, six), ends('2000::', 0, '::1', 0)],
      [v2(0x21, 0x31, Buffer.alloc(216)), null],
      [v2(0x21, 0x00, Buffer.alloc(0)), null],
      [v2(0x21, 0x00, Buffer.from('whatever')), null],
      [v2(0x20, 0x00, Buffer.alloc(0)), null],
      // Of LOCAL, nothing else may matter.
      [v2(0x20, 0xff, Buffer.from('whatever')), null],
      [v2(0x20, 0x11, INET), null],
    ] as const) {
      assert.deepEqual(read(Buffer.concat([bytes, latin1('rest')])), {
        kind: 'header',
        length: bytes.length,
        addresses,
      });
    }
  });

  test('refuses what it should', () => {
    const wrong = v2(0x21, 0x11, INET, true);
    wrong[16] = 11;
    const twice = v2(0x21, 0x11, with4(3, 0, 4, 0, 0, 0, 0), true);
    for (const [bytes, reason] of [
      [v2(0x11, 0x11, INET), 'another version'],
      [v2(0x22, 0x11, INET), 'an unknown command'],
      [v2(0x21, 0x41, INET), 'an unknown family'],
      [v2(0x21, 0x13, INET), 'an unknown family'],
      [v2(0x21, 0x12, INET), 'datagrams on a connection'],
      [v2(0x21, 0x11, INET.subarray(1)), 'no room for the addresses'],
      [v2(0x21, 0x21, INET), 'no room for the addresses'],
      [v2(0x21, 0x31, Buffer.alloc(215)), 'no room for the addresses'],
      [v2(0x21, 0x11, with4(4)), 'a TLV that does not fit'],
      [v2(0x21, 0x11, with4(4, 0, 1)), 'a TLV that does not fit'],
      [v2(0x21, 0x11, with4(4, 255, 255, 0)), 'a TLV that does not fit'],
      [v2(0x21, 0x11, with4(3, 0, 1, 0)), 'not one checksum'],
      [v2(0x21, 0x11, Buffer.alloc(16_385)).subarray(0, 16), 'too long'],
      [wrong, 'a wrong checksum'],
      [twice, 'not one checksum'],
    ] as const)
      assert.equal(why(bytes), `version 2: ${reason}`);
    assert.equal(why(latin1('\r\n\r\n\0\r\nQUIT\r')), 'none');
  });

  test("checks sums by Castagnoli's polynomial (RFC 3720 appendix B.4)", () => {
    assert.equal(crc32c(latin1('123456789')), 0xe3069283);
    assert.equal(crc32c(Buffer.alloc(32)), 0x8a9136aa);
  });
});

const address = fc.oneof(
  fc.ipV4(),
  fc.ipV6().filter((text) => isIP(text) === 6),
);
const port = fc.nat(65_535);

test('what is written is read again, in both versions', () => {
  fc.assert(
    fc.property(fc.constantFrom('V1', 'V2'), address, port, address, port, (version, source, from, destination, to) => {
      const bytes = proxyHeader(version, ends(source, from, destination, to));
      const reading = read(Buffer.concat([bytes, latin1('x')]));
      if (reading.kind !== 'header' || reading.addresses === null) throw new Error(JSON.stringify(reading));
      assert.equal(reading.length, bytes.length);
      const { sourceAddress, sourcePort, destinationAddress, destinationPort } = reading.addresses;
      assert.deepEqual([sourcePort, destinationPort], [from, to]);
      // Node's own form, by its parser of URLs.
      for (const [told, meant] of [
        [sourceAddress, source],
        [destinationAddress, destination],
      ] as const)
        assert.equal(told, canonical(meant));
    }),
    { numRuns: 500 },
  );
});

function canonical(text: string): string {
  if (!text.includes(':')) return text;
  const six = new URL(`http://[${text}]`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(six);
  if (mapped === null) return six;
  const [high, low] = [Number.parseInt(mapped[1]!, 16), Number.parseInt(mapped[2]!, 16)];
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

test('writes what other proxies write', () => {
  const text = (c: ProxiedAddresses | null): string => proxyHeader('V1', c).toString();
  assert.equal(text(ADDRESSES), 'PROXY TCP4 10.0.0.1 10.0.0.2 80 443\r\n');
  assert.equal(text(ends('::ffff:10.0.0.1', 80, '10.0.0.2', 443)), 'PROXY TCP4 10.0.0.1 10.0.0.2 80 443\r\n');
  assert.equal(text(ends('2001:DB8:0::1', 1, '10.0.0.2', 2)), 'PROXY TCP6 2001:db8::1 ::ffff:a00:2 1 2\r\n');
  assert.equal(text(null), 'PROXY UNKNOWN\r\n');
  assert.equal(text(ends('/run/a.sock', 0, '10.0.0.2', 2)), 'PROXY UNKNOWN\r\n');
  assert.deepEqual(proxyHeader('V2', ADDRESSES), v2(0x21, 0x11, INET));
  assert.deepEqual(proxyHeader('V2', null), v2(0x20, 0, Buffer.alloc(0)));
});

test('any bytes behind a beginning are read without an exception, in pieces as in one', () => {
  const begin = fc.constantFrom(
    'PROXY ',
    'PROXY TCP4 ',
    'PROXY UNKNOWN',
    '\r\n\r\n\0\r\nQUIT\n',
    '\r\n\r\n\0\r\nQUIT\n\x21\x11\0',
  );
  fc.assert(
    fc.property(begin, fc.string({ unit: 'binary', maxLength: 60 }), (text, rest) => void read(latin1(text + rest))),
    { numRuns: 300 },
  );
});
