/** How the misbehaving versions of ratings misbehave: BookInfo's v-faulty, v-delayed, v-unavailable and v-unhealthy. */
import { setTimeout as sleep } from 'node:timers/promises';

/** A number in [0, 1). */
export type Chance = () => number;

export type Mood = {
  /** Resolves when the answer may be given. */
  delay(): Promise<void>;
  available(): boolean;
  healthy(): boolean;
};

const MINUTE = 60_000;

/** `now` in milliseconds; the flipping versions are well from the moment this is called, and count from it. */
export function moodOf(version: string, chance: Chance, now: () => number, delayMs: number): Mood {
  const started = now();
  const flipped = (everyMs: number): boolean => Math.floor((now() - started) / everyMs) % 2 === 1;
  switch (version) {
    case 'v-faulty':
      return { ...CALM, available: () => chance() >= 0.5 };
    case 'v-delayed':
      return { ...CALM, delay: () => (chance() < 0.5 ? sleep(delayMs) : Promise.resolve()) };
    case 'v-unavailable':
      return { ...CALM, available: () => !flipped(MINUTE) };
    case 'v-unhealthy':
      return { ...CALM, available: () => !flipped(15 * MINUTE), healthy: () => !flipped(15 * MINUTE) };
    default:
      return CALM;
  }
}

const CALM: Mood = { delay: () => Promise.resolve(), available: () => true, healthy: () => true };
