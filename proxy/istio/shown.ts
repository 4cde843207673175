/** Values as messages show them: short, quoted, and with a hint when only the type is wrong. */

/** At most some 80 characters, as JSON. */
export function shown(value: unknown): string {
  if (typeof value !== 'string') return String(value);
  const text = value.length > 80 ? `${value.slice(0, 77)}...` : value;
  return JSON.stringify(text);
}

/** What came, after "got": `the number 5`, `"soon"`, `a list`. `expected` tells whether quotes are the matter. */
export function gotten(value: unknown, expected = ''): string {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  switch (typeof value) {
    case 'string':
      return isNumeric(value) && expected.includes('number')
        ? `the string ${shown(value)} (write it without quotes)`
        : shown(value);
    case 'number':
    case 'boolean':
      if (expected === 'a string') return `the ${typeof value} ${value} (write it in quotes: "${value}")`;
      return `${value}`;
    case 'object':
      return 'a mapping';
    default:
      return `a ${typeof value}`;
  }
}

const isNumeric = (text: string): boolean => text.trim() !== '' && Number.isFinite(Number(text));
