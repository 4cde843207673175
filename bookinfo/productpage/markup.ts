/** HTML from template strings in which every inserted value is escaped, unless it is markup already. */

export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Insert = Markup | string | number | null | readonly Insert[];

/** `null` inserts nothing, a list its items one after another. */
export function markup(parts: TemplateStringsArray, ...inserts: readonly Insert[]): Markup {
  let text = parts[0] ?? '';
  for (const [i, insert] of inserts.entries()) text += render(insert) + (parts[i + 1] ?? '');
  return new Markup(text);
}

function render(insert: Insert): string {
  if (insert === null) return '';
  if (insert instanceof Markup) return insert.text;
  if (typeof insert === 'object') return insert.map(render).join('');
  return String(insert).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
