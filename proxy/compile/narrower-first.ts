/** The order in which rules for connections are tried: narrower addresses first, then narrower server names (Envoy's FilterChainMatch). */
import type { TcpRule } from '../snapshot/listener.ts';

export type Ordered = {
  readonly rules: readonly TcpRule[];
  /** Rules of which some connection belongs to an earlier one: indexes of both in what was given. */
  readonly taken: readonly { readonly by: number; readonly from: number }[];
};

type Piece = TcpRule & { readonly from: number; readonly bits: number; readonly rank: number };

/**
 * A rule with ranges or names of different width stands in several places, so that the first rule that matches is the narrowest one.
 * What is equally narrow keeps its order; of two for the same addresses and names the first holds.
 */
export function narrowerFirst(rules: readonly TcpRule[]): Ordered {
  const pieces = rules.flatMap(piecesOf).sort((a, b) => b.bits - a.bits || b.rank - a.rank || a.from - b.from);
  const owners = new Map<string, number>();
  const taken = new Map<string, { readonly by: number; readonly from: number }>();
  const ordered: TcpRule[] = [];
  for (const { from, bits: _, rank: __, ...rule } of pieces) {
    const fresh = cellsOf(rule).filter((cell) => {
      const by = owners.get(cell);
      if (by === undefined) owners.set(cell, from);
      else if (by !== from) taken.set(`${by} ${from}`, { by, from });
      return by === undefined;
    });
    if (fresh.length > 0) ordered.push(rule);
  }
  return { rules: ordered, taken: [...taken.values()] };
}

function piecesOf(rule: TcpRule, from: number): readonly Piece[] {
  const byWidth = grouped(rule.destinations, widthOf);
  const byRank = grouped(rule.serverNames, rankOf);
  return byWidth.flatMap(([bits, destinations]) =>
    byRank.map(([rank, serverNames]) => ({ ...rule, destinations, serverNames, from, bits, rank })),
  );
}

/** None at all is the widest. */
function grouped(values: readonly string[], of: (value: string) => number): readonly (readonly [number, string[]])[] {
  return values.length === 0 ? [[-1, []]] : [...Map.groupBy(values, of)];
}

/** Bits of the prefix; an IPv6 address is not narrower than an IPv4 one, but they never meet. */
function widthOf(range: string): number {
  const slash = range.indexOf('/');
  return slash >= 0 ? Number(range.slice(slash + 1)) : range.includes(':') ? 128 : 32;
}

const rankOf = (name: string): number =>
  name === '*' ? 0 : name.startsWith('*') ? name.length : Number.MAX_SAFE_INTEGER;

/** Each address and name by itself. */
const cellsOf = ({ destinations, serverNames }: TcpRule): readonly string[] =>
  (destinations.length === 0 ? [''] : destinations).flatMap((d) =>
    (serverNames.length === 0 ? [''] : serverNames).map((s) => `${d} ${s}`),
  );
