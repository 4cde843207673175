/** What an origin can do to a request, and which of it leaves no way to a right answer. */

export const FAULTS = [
  'rst-before-head',
  'fin-before-head',
  'rst-in-head',
  'rst-in-body',
  'fin-in-body',
  'fin-in-chunks',
  'garbage',
  'hang',
  'slow',
  'fin-after',
  'close-said',
  'early',
  'informational',
  'busy',
] as const;

export type Fault = (typeof FAULTS)[number] | 'none';

/** No right answer can come of a try that met one of these. */
const FATAL: ReadonlySet<string> = new Set<Fault>([
  'rst-before-head',
  'fin-before-head',
  'rst-in-head',
  'rst-in-body',
  'fin-in-body',
  'fin-in-chunks',
  'garbage',
  'hang',
]);

/** These may leave the client with a cut connection: its answer had begun. */
const CUTTING: ReadonlySet<string> = new Set<Fault>(['rst-in-body', 'fin-in-body', 'fin-in-chunks', 'early', 'hang']);

export const isFatal = (fault: string | undefined): boolean => fault !== undefined && FATAL.has(fault);
export const isCutting = (fault: string): boolean => CUTTING.has(fault);
