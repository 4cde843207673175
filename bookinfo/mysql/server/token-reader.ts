/** Reads a list of tokens from left to right. */
import { syntaxError } from './sql-error.ts';
import type { Token } from './tokens.ts';

export class TokenReader {
  readonly tokens: readonly Token[];
  at = 0;

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens;
  }

  get ended(): boolean {
    return this.at >= this.tokens.length;
  }

  peek(ahead = 0): Token | undefined {
    return this.tokens[this.at + ahead];
  }

  /** Takes these words or symbols when all of them come next. */
  takes(...values: readonly string[]): boolean {
    const here = values.every((value, i) => {
      const token = this.peek(i);
      return token !== undefined && (token.kind === 'word' || token.kind === 'symbol') && token.value === value;
    });
    if (here) this.at += values.length;
    return here;
  }

  expect(value: string): void {
    if (!this.takes(value)) throw this.unexpected();
  }

  /** A name, in backticks or bare. */
  name(): string {
    const token = this.peek();
    if (token?.kind !== 'name' && token?.kind !== 'word') throw this.unexpected();
    this.at++;
    return token.kind === 'name' ? token.value : token.text;
  }

  /** `table` or `database.table`. */
  place(): { readonly database: string | null; readonly table: string } {
    const first = this.name();
    return this.takes('.') ? { database: first, table: this.name() } : { database: null, table: first };
  }

  /** What is inside the brackets that open here, brackets in it included. */
  brackets(): Token[] {
    this.expect('(');
    const inside: Token[] = [];
    for (let depth = 1; ; this.at++) {
      const token = this.peek();
      if (token === undefined) throw this.unexpected();
      if (token.kind === 'symbol' && token.value === '(') depth++;
      if (token.kind === 'symbol' && token.value === ')') depth--;
      if (depth === 0) {
        this.at++;
        return inside;
      }
      inside.push(token);
    }
  }

  end(): void {
    if (!this.ended) throw this.unexpected();
  }

  unexpected(): Error {
    return syntaxError(
      this.tokens
        .slice(this.at)
        .map(({ text }) => text)
        .join(' '),
    );
  }
}
