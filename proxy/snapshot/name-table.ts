/** The names a proxy's own DNS answers for. Only its main thread asks; it is no part of what workers are sent. */

export type NamedHost = {
  /** IPv4 and IPv6 addresses, at least one. */
  readonly addresses: readonly string[];
  /** Other names of it, such as `reviews` and `reviews.default`. A host of that very name goes first. */
  readonly alternates: readonly string[];
};

/** By full name in lower case, without a dot at its end; `*.suffix` stands for every name below the suffix. */
export type NameTable = Readonly<Record<string, NamedHost>>;
