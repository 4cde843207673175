/** Mixer's kinds (config.istio.io/v1alpha2, Istio 1.0): rule, handler, instance and adapters, as lenient shapes; `compile/` gives them meaning. */
import { anything, ignored, int32, list, object, openObject, required, string } from './field.ts';
import { parseExpression } from './mixer-expression.ts';
import type { Infer } from './schema.ts';

const NOT_YET = 'rules deny; they do not change headers or sample yet';

/** Said when it is written, not when a proxy has to deny for it. */
function expression(text: string): string | null {
  if (text.trim() === '') return null;
  const parsed = parseExpression(text);
  return parsed.ok ? null : `an expression; at character ${parsed.at + 1}: ${parsed.message}`;
}

export const mixerRuleSpec = object(
  {
    match: string('When: an expression such as `source.labels["version"] == "v3"`; absent: always', {
      format: expression,
    }),
    actions: list(
      openObject(
        {
          handler: required(string('`name.kind` or `name.kind.namespace` of the handler')),
          instances: list(string('`name.kind` of an instance'), 'What the handler is given'),
          name: string('Name of the action'),
        },
        'A handler and what it is given',
      ),
      'What is done',
    ),
    requestHeaderOperations: ignored(anything('Changes to request headers'), NOT_YET),
    responseHeaderOperations: ignored(anything('Changes to response headers'), NOT_YET),
    sampling: ignored(anything('Share of requests'), NOT_YET),
  },
  'What is done, and when',
);
export type MixerRuleSpec = Infer<typeof mixerRuleSpec>;

export const denierSpec = openObject(
  {
    status: openObject(
      {
        code: int32('gRPC status code: 7 is PERMISSION_DENIED, 9 FAILED_PRECONDITION', { default: 9 }),
        message: string('What the caller is told'),
      },
      'What the caller gets',
    ),
    validDuration: string('How long an answer may be cached'),
    validUseCount: int32('How often an answer may be used'),
  },
  'Denies what its rule matches',
);
export type DenierSpec = Infer<typeof denierSpec>;

export const listCheckerSpec = openObject(
  {
    overrides: list(string('A value'), 'Values of the list'),
    blacklist: anything('Whether being on the list denies'),
    entryType: string('STRINGS, CASE_INSENSITIVE_STRINGS, IP_ADDRESSES or REGEX'),
    providerUrl: string('Where the list is fetched from'),
  },
  'Denies by a list',
);

export const handlerSpec = openObject(
  { compiledAdapter: string('Name of the adapter: denier, listchecker …'), params: anything('Its settings') },
  'An adapter and its settings',
);
export type HandlerSpec = Infer<typeof handlerSpec>;

export const instanceSpec = openObject(
  { compiledTemplate: string('Name of the template: checknothing, listentry …'), params: anything('Its values') },
  'What a handler is given',
);
export type InstanceSpec = Infer<typeof instanceSpec>;

/** Of the kinds Lateen knows by name only. */
export const looseSpec = openObject({}, 'Settings as Istio 1.0 had them');
