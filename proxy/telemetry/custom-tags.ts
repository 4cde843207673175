/** Tags that somebody has defined for spans (Istio: customTags of Telemetry and of MeshConfig), linked once per configuration. */
import { get } from '../core/header-list.ts';
import type { Exchange } from '../live/exchange.ts';
import type { ProxyNode } from '../snapshot/node.ts';
import type { CustomTag } from '../snapshot/telemetry.ts';
import { compileFormat } from './format.ts';

/** Writes one tag. */
type Write = (name: string, value: string) => string;

/** Envoy leaves a tag out that has neither a value nor a default. Null: there are no tags. */
export function linkCustomTags(
  tags: readonly CustomTag[],
  node: ProxyNode,
  write: Write,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): ((x: Exchange) => string) | null {
  let constant = '';
  const parts: ((x: Exchange) => string)[] = [];
  for (const { name, value } of tags) {
    switch (value.kind) {
      case 'literal':
        constant += write(name, value.value);
        break;
      case 'environment': {
        const found = environment[value.name] ?? value.otherwise;
        if (found !== null) constant += write(name, found);
        break;
      }
      case 'header': {
        const header = value.name.toLowerCase();
        const otherwise = value.otherwise === null ? '' : write(name, value.otherwise);
        parts.push((x) => {
          const came = get(x.headers, header);
          return came === undefined ? otherwise : write(name, came);
        });
        break;
      }
      case 'format': {
        const format = compileFormat(value.format, node, 'text');
        parts.push((x) => {
          const text = format(x);
          // Envoy leaves out what is missing altogether.
          return text === '-' || text === '' ? '' : write(name, text);
        });
        break;
      }
    }
  }
  if (parts.length === 0) return constant === '' ? null : () => constant;
  return (x) => {
    let text = constant;
    for (const part of parts) text += part(x);
    return text;
  };
}
