/**
 * Membership in a pod whose network another container holds (docker/pod.sh). When that container is started anew, it has a new
 * network, and whoever had joined the old one is cut off for ever: Docker does not move them.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

/** Verbs that serve in a pod. Others (`docker compose exec … lateen …`) are over soon. */
const MEMBERS: ReadonlySet<string> = new Set(['bookinfo', 'sidecar']);

const POLL_MS = 500;
const TELL_AFTER_MS = 5000;
/** EX_TEMPFAIL of sysexits(3): start me again. */
const START_AGAIN = 75;

export type PodNetwork = {
  /** Names the network whose redirect rules are set, as `/proc/self/ns/net` does; null: there is none yet. */
  readonly set: () => string | null;
  /** The network of this process. */
  readonly own: () => string;
};

/**
 * Resolves once the redirect rules of this process's network are set, so that nothing goes out before; from then on watches, and
 * ends the process when its pod has another network, for Docker to start it in that one. Does nothing for a verb that does not
 * serve, or without LATEEN_POD_FILE.
 */
export async function joinPod(verb: string, file: string | undefined): Promise<void> {
  if (file === undefined || file === '' || !MEMBERS.has(verb)) return;
  const network: PodNetwork = { set: () => textOf(file), own: () => readlinkSync('/proc/self/ns/net') };
  await joined(network, () =>
    say(
      `waits for ${file}: nobody has set the redirect rules of this network yet. Does the container that holds it run?`,
    ),
  );
  watch(network, () => {
    say('the pod has another network, which this process is no part of; it ends, to be started in that one');
    process.exit(START_AGAIN);
  });
}

/** Resolves when the rules are set here. `onLong` is told once when that takes long. */
export async function joined({ set, own }: PodNetwork, onLong: () => void, everyMs = POLL_MS): Promise<void> {
  const late = setTimeout(onLong, TELL_AFTER_MS);
  while (set() !== own()) await pause(everyMs);
  clearTimeout(late);
}

/** Calls `onMoved` once, when the rules are set in another network. While there is none, that may still be this one. */
export function watch({ set, own }: PodNetwork, onMoved: () => void, everyMs = POLL_MS): void {
  const timer = setInterval(() => {
    const now = set();
    if (now === null || now === own()) return;
    clearInterval(timer);
    onMoved();
  }, everyMs);
  timer.unref();
}

function textOf(file: string): string | null {
  try {
    return readFileSync(file, 'utf8').trim() || null;
  } catch {
    return null;
  }
}

const say = (text: string): void => void process.stderr.write(`lateen: ${text}\n`);
