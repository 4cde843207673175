/** How one string is compared, as VirtualService and CORS write it: exact, prefix or regex. */
import { regex } from './format.ts';
import { double, map, object, string } from './field.ts';
import type { Infer } from './schema.ts';

export const stringMatch = object(
  {
    exact: string('The whole value, letter by letter'),
    prefix: string('How the value starts'),
    regex: string('RE2 expression that the whole value has to match', { format: regex, maxLength: 1024 }),
  },
  'One of exact, prefix and regex; `{}` where a key is matched: the key is there',
  { oneOf: [['exact', 'prefix', 'regex']] },
);
export type StringMatch = Infer<typeof stringMatch>;

export const stringMatchMap = (description: string) => map(stringMatch, description);

export const percent = (description: string) =>
  object({ value: double('Percent, 0 to 100, in steps of 0.0001', { min: 0, max: 100 }) }, description);
