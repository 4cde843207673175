/** Kinds as people type them: `vs`, `virtualservices`, `VirtualService`, `virtualservice.networking.istio.io`, `all`. */
import { suggest } from '#proxy/core/suggest.ts';
import { KINDS, type KindInfo } from '#proxy/istio/kinds.ts';
import { CliError } from './cli-error.ts';

export type Wanted = { readonly info: KindInfo; readonly name: string | null };

/** Reads `KIND [NAME …]`, `KIND,KIND` and `KIND/NAME …`. Throws a CliError that helps. */
export function wantedOf(words: readonly string[]): readonly Wanted[] {
  const [first = '', ...names] = words;
  if (first.includes('/')) {
    return words.map((word) => {
      const [kind = '', name] = word.split('/', 2);
      if (name === undefined)
        throw new CliError(`"${word}": expected KIND/NAME, as the first one is.`, { exitCode: 2 });
      return { info: kindOf(kind)[0]!, name: checkName(name, kind) };
    });
  }
  const infos = first.split(',').flatMap(kindOf);
  if (names.length === 0) return infos.map((info) => ({ info, name: null }));
  return infos.flatMap((info) => names.map((name) => ({ info, name: checkName(name, first) })));
}

/** All kinds a word means; a category such as `all` or `istio-io` means several. */
export function kindOf(word: string): readonly KindInfo[] {
  const lower = word.toLowerCase();
  const bare = lower.replace(/^([^.]+)\..*$/, '$1');
  const group = lower.slice(bare.length + 1);
  const found = KINDS.filter((k) => namesOf(k).includes(bare) && (group === '' || group === k.group));
  if (found.length > 0) return found.slice(0, 1);
  const category = KINDS.filter((k) => k.categories.includes(lower));
  if (category.length > 0) return category;
  const guess = suggest(lower, KINDS.flatMap(namesOf));
  throw new CliError(`the mesh has no resource type "${word}".`, {
    hint: guess === null ? null : `Did you mean ${guess}?`,
    exitCode: 2,
  });
}

const namesOf = (info: KindInfo): string[] => [info.plural, info.singular, info.kind.toLowerCase(), ...info.shortNames];

/** What a name cannot be is mostly what a shell substitution gave instead of one. */
function checkName(name: string, kind: string): string {
  const hint = `If it came from a command such as $(kubectl get ${kind} -l app=… -o jsonpath='{.items[0].metadata.name}'), look at what that prints: without .metadata.name it is no name, and with no match it is empty.`;
  if (name === '') throw new CliError(`the name of the ${kind} is empty.`, { hint, exitCode: 2 });
  if (/[\s{}[\]"]/.test(name))
    throw new CliError(`"${name.length > 60 ? `${name.slice(0, 60)}…` : name}" is no name of a ${kind}.`, {
      hint,
      exitCode: 2,
    });
  return name;
}
