/** The names of the mesh, to be looked up: exact, by wildcard, and as a resolver's search list makes them. */
import { parseAddress } from '../core/cidr.ts';
import type { NameTable } from '../snapshot/name-table.ts';

/** One host. `turn…`: answers go round, each family by itself, for clients ask for both at a time. */
export type Known = {
  readonly v4: readonly Uint8Array[];
  readonly v6: readonly Uint8Array[];
  turn4: number;
  turn6: number;
};

export type Found = {
  readonly known: Known;
  /** What the search list had been put behind; null: the name itself is known. */
  readonly alias: string | null;
};

export class Names {
  readonly #known = new Map<string, Known>();
  readonly #search: string;
  #wild = false;

  /** `search`: the first domain of the resolver's search list; "" when it has none. */
  constructor(table: NameTable, search: string) {
    this.#search = search === '' ? '' : `.${search}`;
    for (const [host, { addresses }] of Object.entries(table)) {
      this.#known.set(host, knownOf(addresses));
      this.#wild ||= host.startsWith('*.');
    }
    for (const [host, { alternates }] of Object.entries(table)) {
      const known = this.#known.get(host)!;
      for (const name of alternates) if (!this.#known.has(name)) this.#known.set(name, known);
    }
  }

  get size(): number {
    return this.#known.size;
  }

  /**
   * `name`: lower case, no dot at its end. Null: not ours. `db.example` that a client asks as `db.example.default.svc.cluster.local`
   * is answered with its alias, which ends the client's search (Istio: pkg/dns/client, buildDNSAnswers; the first domain alone).
   */
  find(name: string): Found | null {
    const known = this.#known.get(name) ?? this.#byWildcard(name);
    if (known !== undefined) return { known, alias: null };
    if (this.#search === '' || !name.endsWith(this.#search)) return null;
    const alias = name.slice(0, -this.#search.length);
    const aliased = alias.startsWith('*') ? undefined : (this.#known.get(alias) ?? this.#byWildcard(alias));
    return aliased === undefined ? null : { known: aliased, alias };
  }

  /** The narrowest: `*.b.c` before `*.c`. */
  #byWildcard(name: string): Known | undefined {
    if (!this.#wild) return undefined;
    for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
      const known = this.#known.get(`*${name.slice(dot)}`);
      if (known !== undefined) return known;
    }
    return undefined;
  }
}

function knownOf(addresses: readonly string[]): Known {
  const words = addresses.map(parseAddress).filter((address) => address !== null);
  const bytesOf = (width: number): Uint8Array[] => words.filter((w) => w.length === width).map(toBytes);
  return { v4: bytesOf(1), v6: bytesOf(4), turn4: 0, turn6: 0 };
}

function toBytes(words: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(words.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [i, word] of words.entries()) view.setUint32(i * 4, word);
  return bytes;
}
