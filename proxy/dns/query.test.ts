import packet from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RCODE } from './codes.ts';
import { readQuery, type Query } from './query.ts';
import { writeBareError } from './reply.ts';

const encode = (fields: Partial<packet.Packet> = {}, name = 'Reviews.example'): Buffer =>
  packet.encode({ type: 'query', id: 7, flags: 0x100, questions: [{ type: 'A', name }], ...fields });

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');
const HEAD = '0007 0100 0001 0000 0000 0000';

describe('a question', () => {
  test('is read with its name in lower case, and its bytes as they came', () => {
    const query = readQuery(encode()) as Query;
    expect(query).toMatchObject({ id: 7, recursionDesired: true, edns: null });
    expect(query.question).toMatchObject({ name: 'reviews.example', type: 1 });
    expect(query.question.bytes.toString('latin1')).toContain('Reviews');
  });

  test('has EDNS', () => {
    const opt = {
      type: 'OPT',
      name: '.',
      udpPayloadSize: 1400,
      flags: 0x8000,
      options: [],
    } as unknown as packet.OptAnswer;
    expect(readQuery(encode({ additionals: [opt] }))).toMatchObject({
      edns: { udpSize: 1400, version: 0, dnssecOk: true },
    });
  });

  test.each([
    ['the root', `${HEAD} 00 0002 0001`, ''],
    ['a label of 63 bytes', `${HEAD} 3f ${'61'.repeat(63)} 00 0001 0001`, 'a'.repeat(63)],
    ['255 bytes', `${HEAD} ${`3f ${'61'.repeat(63)}`.repeat(3)} 3d ${'61'.repeat(61)} 00 0001 0001`, null],
    ['bytes that are no text', `${HEAD} 02 fffe 00 0001 0001`, '\u00ff\u00fe'],
  ])('whose name is %s', (_, text, name) => {
    const query = readQuery(hex(text)) as Query;
    expect(query.question.name.length).toBe(name?.length ?? 253);
    if (name !== null) expect(query.question.name).toBe(name);
  });
});

describe('what is no question', () => {
  test.each([
    ['nothing', ''],
    ['half a header', '0007 0100 0001'],
    ['an answer', '0007 8100 0001 0000 0000 0000 00 0001 0001'],
  ])('%s is not answered', (_, text) => expect(readQuery(hex(text))).toEqual({ drop: true }));

  test.each([
    ['no question', '0007 0100 0000 0000 0000 0000', RCODE.FORMERR],
    ['two questions', '0007 0100 0002 0000 0000 0000 00 0001 0001 00 0001 0001', RCODE.FORMERR],
    ['65,535 questions', '0007 0100 ffff 0000 0000 0000 00 0001 0001', RCODE.FORMERR],
    ['an answer in it', '0007 0100 0001 0001 0000 0000 00 0001 0001', RCODE.FORMERR],
    ['an authority in it', '0007 0100 0001 0000 0001 0000 00 0001 0001', RCODE.FORMERR],
    ['65,535 additional records', '0007 0100 0001 0000 0000 ffff 00 0001 0001', RCODE.FORMERR],
    ['a record that is not there', '0007 0100 0001 0000 0000 0001 00 0001 0001', RCODE.FORMERR],
    [
      'a record longer than the message',
      '0007 0100 0001 0000 0000 0001 00 0001 0001 00 0029 1000 00000000 ffff',
      RCODE.FORMERR,
    ],
    [
      'OPT twice',
      `0007 0100 0001 0000 0000 0002 00 0001 0001 ${'00 0029 1000 00000000 0000'.repeat(2)}`,
      RCODE.FORMERR,
    ],
    ['OPT of a name', '0007 0100 0001 0000 0000 0001 00 0001 0001 01 61 00 0029 1000 00000000 0000', RCODE.FORMERR],
    ['bytes behind its end', `${HEAD} 00 0001 0001 00`, RCODE.FORMERR],
    ['no type', `${HEAD} 00`, RCODE.FORMERR],
    ['half a class', `${HEAD} 00 0001 00`, RCODE.FORMERR],
    ['a name without end', `${HEAD} 03 616161`, RCODE.FORMERR],
    ['a label cut short', `${HEAD} 3f 6161`, RCODE.FORMERR],
    ['a label of a kind nobody uses', `${HEAD} 40 00 0001 0001`, RCODE.FORMERR],
    ['a pointer to itself', `${HEAD} c00c 0001 0001`, RCODE.FORMERR],
    ['a pointer to its header', `${HEAD} c000 0001 0001`, RCODE.FORMERR],
    ['a pointer after a label', `${HEAD} 01 61 c00c 0001 0001`, RCODE.FORMERR],
    ['a dot inside a label', `${HEAD} 03 612e62 00 0001 0001`, RCODE.FORMERR],
    [
      '256 bytes of name',
      `${HEAD} ${`3f ${'61'.repeat(63)}`.repeat(3)} 3e ${'61'.repeat(62)} 00 0001 0001`,
      RCODE.FORMERR,
    ],
    ['64 KB', `${HEAD} 00 0001 0001 ${'00'.repeat(65_400)}`, RCODE.FORMERR],
    ['class CHAOS', `${HEAD} 07 76657273696f6e 04 62696e64 00 0010 0003`, RCODE.NOTIMP],
    ['class ANY', `${HEAD} 00 0001 00ff`, RCODE.NOTIMP],
    ['a zone transfer', `${HEAD} 00 00fc 0001`, RCODE.NOTIMP],
    ['opcode STATUS', '0007 1100 0001 0000 0000 0000 00 0001 0001', RCODE.NOTIMP],
    ['opcode UPDATE', '0007 2800 0001 0000 0000 0000 00 0006 0001', RCODE.NOTIMP],
  ])('%s is refused', (_, text, rcode) => {
    const message = hex(text);
    expect(readQuery(message)).toEqual({ drop: false, rcode });
    const reply = writeBareError(message, rcode);
    expect(reply.length).toBe(12);
    expect(reply.readUInt16BE(0)).toBe(7);
    expect(packet.decode(reply)).toMatchObject({ type: 'response', questions: [] });
  });
});

describe('whatever comes', () => {
  const opcodes = fc.constantFrom(0, 0, 0, 0x0800, 0x2800, 0x8000);
  const noise = fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes));
  const nearly = fc
    .tuple(opcodes, fc.nat(2), fc.nat(3), fc.uint8Array({ maxLength: 80 }))
    .map(([flags, questions, additional, rest]) => {
      const head = Buffer.alloc(12);
      head.writeUInt16BE(flags, 2);
      head.writeUInt16BE(questions, 4);
      head.writeUInt16BE(additional, 10);
      return Buffer.concat([head, rest]);
    });
  const flipped = fc.tuple(fc.nat(40), fc.nat(255)).map(([at, byte]) => {
    const message = encode();
    message[at % message.length] = byte;
    return message;
  });

  test('it is read, refused or dropped, and never throws', () => {
    fc.assert(
      fc.property(fc.oneof(noise, nearly, flipped), (message) => {
        const before = Buffer.from(message);
        const read = readQuery(message);
        expect(message.equals(before)).toBe(true);
        if ('drop' in read) return read.drop || writeBareError(message, read.rcode).length === 12;
        return read.question.bytes.length >= 5 && read.message === message;
      }),
      { numRuns: 3000 },
    );
  });

  test('names of letters mean to us what they mean to another reader', () => {
    const label = fc.string({ unit: fc.constantFrom('a', 'Z', '0', '9', '-', '_'), minLength: 1, maxLength: 63 });
    const name = fc.array(label, { minLength: 1, maxLength: 6 }).map((labels) => labels.join('.'));
    fc.assert(
      fc.property(name, (name) => {
        const message = encode({}, name);
        const read = readQuery(message);
        if (name.length > 253) return 'drop' in read;
        const other = packet.decode(message).questions![0]!.name;
        return !('drop' in read) && read.question.name === other.toLowerCase();
      }),
    );
  });
});
