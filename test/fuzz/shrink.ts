/** Makes a case that shows a finding small: fewer segments, then fewer bytes, as long as it shows the same finding. */
import { titleOf, type Case, type Lane } from './lane.ts';

export type Small = { readonly input: Case; readonly what: string };

const MOST_RUNS = 400;
const MOST_MS = 20_000;

/** `what`: the finding of `input`. Gives back the smallest case found; `input` itself when it does not show it again. */
export async function shrink(lane: Lane, input: Case, what: string): Promise<Small> {
  const end = performance.now() + MOST_MS;
  let runs = 0;
  let best: Small = { input, what };
  const shows = async (candidate: Case): Promise<boolean> => {
    if (runs++ > MOST_RUNS || performance.now() > end) return false;
    const { finding } = await lane.run(candidate);
    if (finding === null || titleOf(finding) !== titleOf(what)) return false;
    best = { input: candidate, what: finding };
    return true;
  };
  if (!(await shows(input))) return { input, what: `${what} (once only: it did not show again)` };
  if (input['beside'] !== undefined && input['beside'] !== '') await shows({ ...input, beside: '' });
  if (input.segments.length > 1) await shows({ ...best.input, segments: [input.segments.join('')] });
  if (best.input.segments.length > 1) return best;
  for (let size = Math.ceil(best.input.segments[0]!.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at < best.input.segments[0]!.length;) {
      const text = best.input.segments[0]!;
      const shorter = text.slice(0, at) + text.slice(at + size);
      if (!(await shows({ ...best.input, segments: [shorter] }))) at += size;
    }
  }
  return best;
}
