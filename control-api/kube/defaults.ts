/** What Kubernetes' API server fills in where an object of its own kinds says nothing; the part that clients rely on. */
import { isObject, shown, type Json, type JsonObject } from './json.ts';

/** `object` with its defaults; itself when its kind has none. */
export function withDefaults(object: JsonObject): JsonObject {
  return DEFAULTS[shown(object['kind'])]?.(object) ?? object;
}

const DEFAULTS: Readonly<Record<string, (object: JsonObject) => JsonObject>> = {
  Service: (o) => inSpec(o, (spec) => ({ type: 'ClusterIP', sessionAffinity: 'None', ...spec, ...servicePorts(spec) })),
  // `kubectl describe` reads replicas and strategy without asking whether they are there.
  Deployment: (o) => inSpec(o, (spec) => ({ replicas: 1, strategy: ROLLING, ...spec, ...template(spec) })),
  ReplicaSet: (o) => inSpec(o, (spec) => ({ replicas: 1, ...spec, ...template(spec) })),
  Job: (o) => inSpec(o, (spec) => ({ ...jobCounts(spec), backoffLimit: 6, ...spec, ...template(spec) })),
  Pod: (o) => inSpec({ status: { phase: 'Pending' }, ...o }, podSpec),
  Secret: (o) => secret({ type: 'Opaque', ...o }),
  Namespace: namespace,
};

const ROLLING: Json = { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } };

function inSpec(object: JsonObject, fill: (spec: JsonObject) => JsonObject): JsonObject {
  const spec = object['spec'];
  return isObject(spec) ? { ...object, spec: fill(spec) } : object;
}

function servicePorts({ ports }: JsonObject): JsonObject {
  if (!Array.isArray(ports)) return {};
  const filled = (ports as readonly Json[]).map((port) =>
    isObject(port) ? { protocol: 'TCP', ...port, targetPort: port['targetPort'] ?? port['port'] ?? null } : port,
  );
  return { ports: filled };
}

function template({ template }: JsonObject): JsonObject {
  if (!isObject(template) || !isObject(template['spec'])) return {};
  return { template: { ...template, spec: podSpec(template['spec']) } };
}

/** One completion, unless a parallelism says that Pods share the work. */
const jobCounts = ({ completions, parallelism }: JsonObject): JsonObject => ({
  completionMode: 'NonIndexed',
  suspend: false,
  parallelism: 1,
  ...(completions === undefined && parallelism === undefined ? { completions: 1 } : {}),
});

function podSpec(spec: JsonObject): JsonObject {
  const { containers } = spec;
  if (!Array.isArray(containers)) return spec;
  const filled = (containers as readonly Json[]).map((c) => (isObject(c) ? { ...c, ...containerPorts(c) } : c));
  return { ...spec, containers: filled };
}

function containerPorts({ ports }: JsonObject): JsonObject {
  if (!Array.isArray(ports)) return {};
  return { ports: (ports as readonly Json[]).map((port) => (isObject(port) ? { protocol: 'TCP', ...port } : port)) };
}

/** `stringData` is only a way to write `data`. */
function secret({ stringData, ...object }: JsonObject): JsonObject {
  if (!isObject(stringData)) return stringData === undefined ? object : { ...object, stringData };
  const encoded = Object.entries(stringData).map(
    ([k, v]) => [k, Buffer.from(shown(v), 'utf8').toString('base64')] as const,
  );
  const data = isObject(object['data']) ? object['data'] : {};
  return { ...object, data: { ...data, ...Object.fromEntries(encoded) } };
}

function namespace(object: JsonObject): JsonObject {
  const metadata = isObject(object['metadata']) ? object['metadata'] : {};
  const labels = isObject(metadata['labels']) ? metadata['labels'] : {};
  const named = { ...labels, 'kubernetes.io/metadata.name': metadata['name'] ?? '' };
  return {
    ...object,
    metadata: { ...metadata, labels: named },
    spec: object['spec'] ?? { finalizers: ['kubernetes'] },
    status: object['status'] ?? { phase: 'Active' },
  };
}
