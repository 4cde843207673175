/** The parts of an Istio configuration that every scenario writes alike. */

/** A VirtualService for `<name>.oracle` with these `http` rules (a YAML list). */
export function virtualService(name: string, http: string): string {
  return `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name} }
spec:
  hosts: [${name}.oracle]
  http:
${http.replaceAll(/^(?=.)/gm, '    ')}
`;
}

/** A ServiceEntry for `host`, port 80, with one endpoint; without one it selects workloads that do not exist. */
export function serviceEntry(host: string, endpoint: { host: string; port: number } | null): string {
  const endpoints =
    endpoint === null
      ? 'workloadSelector: { labels: { app: nobody } }'
      : `endpoints: [{ address: ${endpoint.host}, ports: { http: ${endpoint.port} } }]`;
  return `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${host.replaceAll('.', '-')} }
spec:
  hosts: [${host}]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ number: 80, name: http, protocol: HTTP }]
  ${endpoints}
`;
}
