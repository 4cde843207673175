import { describe, expect, test } from 'vitest';
import { fromSession, verbatim } from './propagation.ts';

const B3 = {
  'x-b3-traceid': '80f198ee56343ba864fe8b2a57d3eff7',
  'x-b3-spanid': 'e457b5a2e4d86bd1',
  'x-b3-parentspanid': '05e3ac9a4f6e3b90',
  'x-b3-sampled': '1',
};
const REST = {
  'x-request-id': 'r',
  traceparent: '00-80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-01',
  tracestate: 'a=b',
  'user-agent': 'curl',
  cookie: 'a=b',
  authorization: 'Bearer x',
  jwt: 'y',
};

describe('headers handed on', () => {
  test('by reviews and details: tracing, identity and end-user as they came, and nothing else', () => {
    expect(verbatim({ ...B3, ...REST, 'end-user': 'jason', accept: '*/*', host: 'h', 'x-evil': '1' })).toEqual({
      ...B3,
      ...REST,
      'end-user': 'jason',
    });
  });

  test('by productpage: B3 without the parent, and the user of the session, never that of the header', () => {
    const { 'x-b3-parentspanid': _, ...again } = B3;
    expect(fromSession({ ...B3, ...REST, 'end-user': 'jason' }, null)).toEqual({ ...again, ...REST });
    expect(fromSession({ 'end-user': 'jason' }, 'mary')).toEqual({ 'end-user': 'mary' });
  });

  for (const [name, given, expected] of [
    ['nothing without B3', {}, {}],
    ['nothing for a trace id that is none', { ...B3, 'x-b3-traceid': 'xyz' }, {}],
    ['nothing for a trace id of zeros', { ...B3, 'x-b3-traceid': '0'.repeat(32) }, {}],
    ['nothing without a span id', { 'x-b3-traceid': B3['x-b3-traceid'] }, {}],
    [
      'a short trace id as it is',
      { 'x-b3-traceid': 'e457b5a2e4d86bd1', 'x-b3-spanid': 'e457b5a2e4d86bd1' },
      { 'x-b3-traceid': 'e457b5a2e4d86bd1', 'x-b3-spanid': 'e457b5a2e4d86bd1' },
    ],
  ] as const) {
    test(`productpage emits ${name}`, () => expect(fromSession(given, null)).toEqual(expected));
  }

  for (const [sampled, flags, expected] of [
    ['1', undefined, '1'],
    ['true', undefined, '1'],
    ['d', undefined, '1'],
    ['0', undefined, '0'],
    ['false', undefined, '0'],
    ['0', '1', '1'],
    [undefined, '1', '1'],
    [undefined, undefined, undefined],
  ] as const) {
    test(`productpage makes of sampled ${sampled} and flags ${flags}: ${expected}`, () => {
      const { 'x-b3-traceid': traceId, 'x-b3-spanid': spanId } = B3;
      const given = {
        'x-b3-traceid': traceId,
        'x-b3-spanid': spanId,
        ...(sampled === undefined ? {} : { 'x-b3-sampled': sampled }),
        ...(flags === undefined ? {} : { 'x-b3-flags': flags }),
      };
      expect(fromSession(given, null)['x-b3-sampled']).toBe(expected);
    });
  }

  test('a name beyond ASCII travels as UTF-8', () => {
    expect(Buffer.from(fromSession({}, 'Zoë')['end-user']!, 'latin1').toString('utf8')).toBe('Zoë');
  });
});
