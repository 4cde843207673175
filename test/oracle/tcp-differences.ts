/** Where we part from Envoy over opaque connections, and why. */
type Difference = {
  /** What Envoy does; of several, now this, now that. */
  readonly envoy: readonly string[];
  readonly ours: string;
  readonly why: string;
};

const RESET_TELLS =
  'The connection was taken by the proxy, and its far end never was: a reset tells the client so, a good-bye would say that all is well.';
const ONE_TRY = 'A connection is tried once: that no further try is left (URX) says nothing.';

export const DIFFERENCES: Readonly<Record<string, Readonly<Partial<Record<'heard' | 'seen' | 'log', Difference>>>>> = {
  'nobody listens': {
    heard: { envoy: [' fin'], ours: ' reset', why: RESET_TELLS },
    log: { envoy: ['UF,URX refused 0 0 -'], ours: 'UF refused 0 0 -', why: ONE_TRY },
  },
  'nobody listens, and the client has spoken': {
    heard: { envoy: [' fin', ' reset'], ours: ' reset', why: RESET_TELLS },
    log: { envoy: ['UF,URX refused 0 0 -'], ours: 'UF refused 0 0 -', why: ONE_TRY },
  },
  'there is no endpoint': { heard: { envoy: [' fin', ' reset'], ours: ' reset', why: RESET_TELLS } },
  'three where one may be': {
    heard: {
      envoy: [' fin,  fin, x fin', ' fin,  reset, x fin', ' reset,  reset, x fin'],
      ours: ' reset,  reset, x fin',
      why: RESET_TELLS,
    },
  },
  'nobody answers': {
    heard: { envoy: [' fin', ' reset'], ours: ' reset', why: RESET_TELLS },
    log: { envoy: ['UF,URX hole 0 0 -'], ours: 'UF hole 0 0 -', why: ONE_TRY },
  },
  'half a hello': {
    log: { envoy: [''], ours: 'DPE - 0 0 -', why: 'Envoy counts what its listener filters drop, but logs none of it.' },
  },
  'the client half-closes, then resets': {
    log: {
      envoy: [''],
      ours: '- silent 1 0 -',
      why: 'Neither hears a reset behind a good-bye until it writes: the line is that of the drain at the end of the test.',
    },
  },
};
