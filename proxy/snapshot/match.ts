/** How one string is compared: what people wrote, still plain data. `core/string-match.ts` makes a predicate of it. */

export type StringMatch =
  | { readonly kind: 'exact'; readonly value: string; readonly ignoreCase?: boolean }
  | { readonly kind: 'prefix'; readonly value: string; readonly ignoreCase?: boolean }
  | { readonly kind: 'suffix'; readonly value: string; readonly ignoreCase?: boolean }
  /** RE2 syntax, the whole value must match. */
  | { readonly kind: 'regex'; readonly value: string }
  | { readonly kind: 'present' };
