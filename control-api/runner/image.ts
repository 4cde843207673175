/** Which command an image name stands for: config/images.yaml, read anew when it has changed. */
import { readFileSync, statSync } from 'node:fs';
import { parse } from 'yaml';

export type ImageCommand = {
  /** argv; `lateen` first means this very program. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
};

type Entry = ImageCommand & { readonly match: readonly RegExp[] };

/** Null: no entry matches. Throws an Error naming the file when it cannot be read or is not what it should be. */
export type Images = { readonly file: string; find(image: string): ImageCommand | null };

export function imagesFrom(file: string): Images {
  let entries: readonly Entry[] = [];
  let readAt = -1;
  return {
    file,
    find(image) {
      const { mtimeMs } = statSync(file);
      if (mtimeMs !== readAt) entries = parseImages(readFileSync(file, 'utf8'), file);
      readAt = mtimeMs;
      return findImage(entries, image);
    },
  };
}

/** The first entry whose pattern matches the image, with or without its tag or digest. */
export function findImage(entries: readonly Entry[], image: string): ImageCommand | null {
  const untagged = image.replace(/@.*$/, '').replace(/:[^/:]*$/, '');
  return entries.find(({ match }) => match.some((pattern) => pattern.test(image) || pattern.test(untagged))) ?? null;
}

/** Throws an Error that names the file and the entry. */
export function parseImages(text: string, file: string): readonly Entry[] {
  const images: unknown = (parse(text) as { images?: unknown } | null)?.images ?? [];
  if (!Array.isArray(images)) throw new Error(`${file}: images: expected a list of { match, command, env }`);
  return images.map((entry: unknown, i) => readEntry(entry, `${file}: images[${i}]`));
}

function readEntry(entry: unknown, at: string): Entry {
  const { match, command, env = {} } = (entry ?? {}) as Partial<Record<string, unknown>>;
  const patterns = typeof match === 'string' ? [match] : match;
  if (!isTexts(patterns) || patterns.length === 0) throw new Error(`${at}.match: expected image names`);
  if (!isTexts(command) || command.length === 0) throw new Error(`${at}.command: expected a list of words`);
  if (typeof env !== 'object' || env === null || Array.isArray(env))
    throw new Error(`${at}.env: expected names and values`);
  const values = Object.entries(env).map(([name, value]) => [name, String(value)]);
  return { match: patterns.map(pattern), command, env: Object.fromEntries(values) as Record<string, string> };
}

const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string');

/** `*` stands for any run of characters but `/`. */
const pattern = (text: string): RegExp =>
  new RegExp(
    `^${text
      .split('*')
      .map((part) => part.replace(/[$()*+.?[\\\]^{|}]/g, '\\$&'))
      .join('[^/]*')}$`,
  );
