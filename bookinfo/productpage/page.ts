/**
 * The product page. Whoever watches BookInfo looks for a few marks in it, so they stay as in the original: the class
 * `glyphicon glyphicon-star` once per full star, `<font color="red">` around them, and the sentences about failures.
 */
import type { Result } from './catalog.ts';
import { frame } from './frame.ts';
import { markup, type Markup } from './markup.ts';
import type { Product } from './products.ts';
import { reviewForm } from './review-form.ts';

export type PageParts = {
  readonly user: string | null;
  readonly product: Product;
  readonly details: Result;
  readonly reviews: Result;
};

/** Escapes everything that came from elsewhere; shows what it can of answers of another shape. */
export const productPage = ({ user, product, details, reviews }: PageParts): string =>
  frame(
    user,
    markup`<section class="product" aria-labelledby="title">
<div class="cover" aria-hidden="true"><span>The Comedy</span> <span>of Errors</span></div>
<div>
<h1 id="title">${product.title}</h1>
<p>${product.summary}</p>
</div>
</section>
<div class="columns">
<section class="card" aria-labelledby="details">
${details.ok ? detailsOf(details.value) : failure('details', details.error)}
</section>
<section class="card" aria-labelledby="reviews">
${reviews.ok ? reviewsOf(reviews.value) : failure('reviews', reviews.error)}
</section>
</div>`,
  );

const failure = (part: 'details' | 'reviews', error: string): Markup =>
  markup`<h2 id="${part}" class="problem">Error fetching product ${part}!</h2>
<p role="alert">${error}</p>`;

const LABELS: readonly (readonly [label: string, field: string])[] = [
  ['ISBN-10', 'ISBN-10'],
  ['ISBN-13', 'ISBN-13'],
  ['Publisher', 'publisher'],
  ['Pages', 'pages'],
  ['Type', 'type'],
  ['Language', 'language'],
  ['Author', 'author'],
  ['Year', 'year'],
];

function detailsOf(value: unknown): Markup {
  const book = record(value);
  return markup`<h2 id="details">Book Details</h2>
<dl>
${LABELS.filter(([, field]) => book[field] !== undefined).map(
  ([
    label,
    field,
  ]) => markup`<div><dt>${label}</dt><dd>${field === 'pages' ? pagesOf(book[field]) : text(book[field])}</dd></div>
`,
)}</dl>`;
}

/** A number of pages; whatever else a service says is shown as it came. */
const pagesOf = (value: unknown): string => (typeof value === 'number' ? `${value} pages` : text(value));

function reviewsOf(value: unknown): Markup {
  const { reviews, podname, clustername, writable, problem } = record(value);
  const cluster = text(clustername);
  const list = Array.isArray(reviews) ? reviews : [];
  return markup`<h2 id="reviews">Book Reviews</h2>
${list.map(reviewOf)}
${list.length === 0 ? markup`<p class="none">Be the first one to review this book!</p>` : null}
${text(problem) === '' ? null : markup`<p class="problem">What others wrote cannot be shown: ${text(problem)}.</p>`}
${writable === true ? reviewForm(list.length > 0) : null}
<p class="served">Reviews served by: <code>${text(podname)}</code>${cluster === '' || cluster === 'null' ? null : markup` on cluster <code>${cluster}</code>`}</p>`;
}

function reviewOf(value: unknown): Markup {
  const { reviewer, text: words, rating } = record(value);
  return markup`<figure>
<blockquote>${text(words)}</blockquote>
<figcaption>${text(reviewer)}</figcaption>
${rating === undefined ? null : ratingOf(record(rating))}
</figure>
`;
}

function ratingOf({ stars, color, error }: Record<string, unknown>): Markup {
  if (typeof stars !== 'number') return markup`<p class="problem">${text(error)}</p>`;
  const full = Math.max(0, Math.min(5, Math.floor(stars)));
  const shade = text(color) || 'black';
  // `font` is long obsolete, and what probes since 2017 match the colour by.
  return markup`<font color="${shade}" class="stars gap-x-1 text-${shade}-500" role="img" aria-label="${full} out of 5 stars">${Array.from(
    { length: 5 },
    (_, i) =>
      i < full
        ? markup`<span class="glyphicon glyphicon-star">${STAR}</span>`
        : markup`<span class="glyphicon glyphicon-star-empty">${STAR}</span>`,
  )}</font>`;
}

const STAR = markup`<svg viewBox="0 0 20 20" width="22" height="22" aria-hidden="true"><path d="M10 1.6l2.6 5.3 5.8.8-4.2 4.1 1 5.8L10 14.9l-5.2 2.7 1-5.8L1.6 7.7l5.8-.8z"/></svg>`;

const record = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

/** Strings and numbers as they are; nothing for the rest. */
const text = (value: unknown): string => (typeof value === 'string' || typeof value === 'number' ? String(value) : '');
