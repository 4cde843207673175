/** The one book the store has. */
import { markup, type Markup } from './markup.ts';

export type Product = { readonly id: number; readonly title: string; readonly summary: Markup };

const WIKIPEDIA = 'https://en.wikipedia.org/wiki/The_Comedy_of_Errors';

export const PRODUCT: Product = {
  id: 0,
  title: 'The Comedy of Errors',
  summary: markup`<a href="${WIKIPEDIA}">Wikipedia Summary</a>: The Comedy of Errors is one of <b>William Shakespeare's</b> early plays. It is his shortest and one of his most farcical comedies, with a major part of the humour coming from slapstick and mistaken identity, in addition to puns and word play.`,
};

/** As the JSON API lists products. */
export const productJson = ({ id, title, summary }: Product): object => ({ id, title, descriptionHtml: summary.text });
