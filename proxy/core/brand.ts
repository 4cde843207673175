/** Look-alike values told apart by type alone. */

declare const brand: unique symbol;
type Brand<T, B extends string> = T & { readonly [brand]: B };

/** `outbound|9080|v1|reviews.default.svc.cluster.local`, `inbound|9080||`, `PassthroughCluster` (Istio's naming). */
export type ClusterName = Brand<string, 'ClusterName'>;
/** The name of one compiled route, as access logs show it (`%ROUTE_NAME%`). */
export type RouteName = Brand<string, 'RouteName'>;
/** The name of a route table (Envoy: RouteConfiguration): `9080`, `http.8080`, `inbound|9080||`. */
export type TableName = Brand<string, 'TableName'>;
/** A span of time in milliseconds. */
export type Ms = Brand<number, 'Ms'>;

export const clusterName = (text: string): ClusterName => text as ClusterName;
export const routeName = (text: string): RouteName => text as RouteName;
export const tableName = (text: string): TableName => text as TableName;
export const ms = (n: number): Ms => n as Ms;
