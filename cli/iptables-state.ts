/** What iptables-save says is there, and the text for iptables-restore that makes of it what should be. */
import { OUR_CHAINS, type Table, type TableName } from './iptables-rules.ts';
import { cidrOf } from './iptables-settings.ts';

/** One table as it is: names of its chains, and its rules (`-A CHAIN …`) in their order. */
export type Found = { readonly chains: readonly string[]; readonly rules: readonly string[] };
export type State = Readonly<Partial<Record<TableName, Found>>>;

const TABLES: readonly TableName[] = ['raw', 'nat'];

export function parseSave(text: string): State {
  const state: Partial<Record<TableName, { chains: string[]; rules: string[] }>> = {};
  let table: { chains: string[]; rules: string[] } | undefined;
  for (const line of text.split('\n')) {
    if (line.startsWith('*')) {
      const name = TABLES.find((t) => t === line.slice(1).trim());
      table = name === undefined ? undefined : (state[name] ??= { chains: [], rules: [] });
    } else if (line.startsWith(':')) table?.chains.push(line.slice(1).split(' ')[0]!);
    else if (line.startsWith('-A ')) table?.rules.push(line.trimEnd());
  }
  return state;
}

/** Whether a rule or a chain of ours is there. */
export const holdsOurs = (state: State): boolean => TABLES.some((name) => oursOf(name, state).chains.length > 0);

/** Whether our chains, and the jumps to them, are exactly those of `wanted`. */
export function isAsWanted(wanted: readonly Table[], state: State): boolean {
  return TABLES.every((name) => {
    const want = wanted.find((table) => table.name === name);
    const ours = oursOf(name, state);
    // Order matters within a chain; chains come in any.
    const byChain = (rules: readonly string[]): string => rules.map(canonical).sort(compareChains).join('\n');
    return (
      [...ours.chains].sort().join() === [...(want?.chains ?? [])].sort().join() &&
      byChain(ours.rules) === byChain(want?.rules ?? []) &&
      ours.jumps.length === (want?.jumps ?? []).length &&
      unmet(want?.jumps ?? [], ours.jumps).missing.length === 0
    );
  });
}

/**
 * For `iptables-restore --noflush`, which takes a table as one step: packets meet the old rules or the new ones. A chain that is
 * declared is made, or emptied; rules of others are left alone. Without `wanted`, all of ours goes. "": there is nothing to do.
 */
export function restoreText(wanted: readonly Table[], state: State): string {
  return TABLES.map((name) => tableText(name, wanted, state)).join('');
}

function tableText(name: TableName, wanted: readonly Table[], state: State): string {
  const want = wanted.find((table) => table.name === name);
  const ours = oursOf(name, state);
  if (want === undefined && ours.chains.length === 0) return '';
  const stale = ours.chains.filter((chain) => want?.chains.includes(chain) !== true);
  const { missing, surplus } = unmet(want?.jumps ?? [], ours.jumps);
  const lines = [
    `*${name}`,
    ...(want?.chains ?? []).map((chain) => `:${chain} - [0:0]`),
    ...stale.map((chain) => `-F ${chain}`),
    ...surplus.map((rule) => rule.replace(/^-(?:A (\S+)|I (\S+) 1) /, '-D $1$2 ')),
    ...(want?.rules ?? []),
    ...missing,
    ...stale.map((chain) => `-X ${chain}`),
    'COMMIT',
  ];
  return `${lines.join('\n')}\n`;
}

/** Which jumps are not there, or not where they are to be, and which are there but not wanted. */
function unmet(wanted: readonly string[], found: readonly string[]): { missing: string[]; surplus: string[] } {
  const missing = [...wanted];
  const surplus = found.filter((jump) => {
    const at = missing.findIndex(
      (rule) =>
        canonical(appended(rule)) === canonical(appended(jump)) && (rule.startsWith('-A') || jump.startsWith('-I')),
    );
    if (at >= 0) missing.splice(at, 1);
    return at < 0;
  });
  return { missing, surplus };
}

const appended = (jump: string): string => jump.replace(/^-I (\S+) 1 /, '-A $1 ');

/** Our chains that are there, their rules, and the rules of other chains that lead to them: `-I CHAIN 1 …` where no rule of others comes before. */
function oursOf(name: TableName, state: State): { chains: string[]; rules: string[]; jumps: string[] } {
  const { chains, rules } = state[name] ?? { chains: [], rules: [] };
  const ours = chains.filter((chain) => OUR_CHAINS[name].includes(chain));
  const within = (rule: string): boolean => ours.includes(rule.split(' ')[1]!);
  const target = (rule: string): string => / -[jg] (\S+)/.exec(rule)?.[1] ?? '';
  const behindOthers = new Set<string>();
  const jumps: string[] = [];
  for (const rule of rules.filter((r) => !within(r))) {
    const chain = rule.split(' ')[1]!;
    if (!ours.includes(target(rule))) behindOthers.add(chain);
    else jumps.push(behindOthers.has(chain) ? rule : rule.replace(/^-A (\S+) /, '-I $1 1 '));
  }
  return { chains: ours, rules: rules.filter(within), jumps };
}

const compareChains = (a: string, b: string): number => {
  const [of, to] = [a.split(' ')[1]!, b.split(' ')[1]!];
  return of < to ? -1 : of > to ? 1 : 0;
};

/** The same for two rules that mean the same: versions of iptables differ in the order of matches and in what they leave unsaid. */
function canonical(rule: string): string {
  const [append = '', chain = '', ...words] = rule.split(' ');
  const matches: string[] = [];
  let not = '';
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (word === '!') not = '! ';
    else if (word === '-m' && ['tcp', 'udp'].includes(words[i + 1]!)) i++;
    else if (word.startsWith('-')) {
      matches.push(not + word);
      not = '';
    } else matches.push(`${matches.pop() ?? ''} ${cidrOf(word)?.text ?? word}`);
  }
  return [append, chain, ...matches.sort()].join(' ');
}
