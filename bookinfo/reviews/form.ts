/** The form people review the book with, as it comes in. Lengths are characters, as MySQL counts them. */

export type Review = { readonly reviewer: string; readonly rating: number; readonly review: string };

/** Field → what is wrong with it. */
export type Faults = Readonly<Record<string, string>>;

export const MAX_REVIEWER = 40;
export const MAX_REVIEW = 1000;

export function readReview(form: URLSearchParams): { readonly review: Review } | { readonly faults: Faults } {
  const faults: Record<string, string> = {};
  const reviewer = line(form, 'reviewer', MAX_REVIEWER, /\p{Cc}/u, faults);
  // A text may have lines.
  const review = line(form, 'review', MAX_REVIEW, /[^\P{Cc}\t\n\r]/u, faults);
  const stars = form.getAll('rating');
  if (stars.length !== 1 || !/^[1-5]$/.test(stars[0]!)) faults['rating'] = 'expected a whole number from 1 to 5';
  if (Object.keys(faults).length > 0) return { faults };
  return { review: { reviewer, rating: Number(stars[0]), review } };
}

function line(
  form: URLSearchParams,
  name: string,
  most: number,
  banned: RegExp,
  faults: Record<string, string>,
): string {
  const values = form.getAll(name);
  const value = (values[0] ?? '').trim();
  // Code points, which is what a column counts.
  const length = Array.from(value).length;
  if (values.length > 1) faults[name] = 'expected it once';
  else if (length === 0) faults[name] = `expected 1 to ${most} characters, got none`;
  else if (length > most) faults[name] = `expected 1 to ${most} characters, got ${length}`;
  else if (banned.test(value)) faults[name] = 'expected no control characters';
  return value;
}
