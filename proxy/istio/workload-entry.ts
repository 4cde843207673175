/** WorkloadEntry and WorkloadGroup: workloads that are not pods. (networking.istio.io; Istio's API reference.) */
import { jwtHeader, portName } from './format.ts';
import { ignored, int32, list, map, object, port, required, string, uint32 } from './field.ts';
import type { Infer } from './schema.ts';
import { labels } from './selector.ts';

const workload = {
  address: string('IP address, DNS name, or `unix:///path`', { maxLength: 256 }),
  ports: map(port('Port number'), 'Ports by name; they win over targetPort', { key: portName, max: 128 }),
  labels: labels('Labels, for subsets and selectors'),
  network: ignored(string('Network the address belongs to', { maxLength: 2048 }), 'Lateen knows one network'),
  locality: string('region/zone/subzone', { maxLength: 2048 }),
  weight: uint32('Share of requests; 0 or absent: 1'),
  serviceAccount: string('Identity of the workload', { maxLength: 253 }),
};

export const workloadEntrySpec = object(workload, 'One workload that is not a pod');
export type WorkloadEntrySpec = Infer<typeof workloadEntrySpec>;

const NO_PROBE = 'Lateen does not probe workload entries so far';
const probe = object(
  {
    initialDelaySeconds: int32('Wait before the first probe', { min: 0 }),
    timeoutSeconds: int32('Time limit of a probe', { min: 0 }),
    periodSeconds: int32('Time between probes', { min: 0 }),
    successThreshold: int32('Successes that make it healthy', { min: 0 }),
    failureThreshold: int32('Failures that make it unhealthy', { min: 0 }),
    httpGet: object(
      {
        path: string('Path of the request'),
        host: string('Host to ask', { default: 'the workload' }),
        port: required(port('Port to ask')),
        scheme: string('HTTP or HTTPS'),
        httpHeaders: list(
          object({ name: string('Name', { format: jwtHeader }), value: string('Value') }, 'A header'),
          'Headers of the request',
        ),
      },
      'An HTTP request',
    ),
    tcpSocket: object({ host: string('Host to connect to'), port: required(port('Port')) }, 'A TCP connection'),
    exec: object({ command: required(list(string('A word'), 'Words of the command', { min: 1 })) }, 'A command'),
    grpc: object({ port: port('Port'), service: string('Name of the service') }, 'A gRPC health check'),
  },
  'How readiness is found out',
  { oneOf: [['httpGet', 'tcpSocket', 'exec', 'grpc']] },
);

export const workloadGroupSpec = object(
  {
    metadata: object(
      { labels: labels('Labels of the entries'), annotations: map(string('Value'), 'Annotations of the entries') },
      'Metadata of the entries',
    ),
    template: required(object(workload, 'What the entries have in common')),
    probe: ignored(probe, NO_PROBE),
  },
  'A group of workloads that are not pods',
);
export type WorkloadGroupSpec = Infer<typeof workloadGroupSpec>;

/** Endpoints inside a ServiceEntry. */
export const inlineEndpoints = list(object(workload, 'An endpoint'), 'Endpoints of the service', { max: 4096 });
