/** Whether a proxy follows its configuration, in its own metrics: read at scrape time, on the main thread. */
import { Gauge, type Registry } from 'prom-client';

export type ConfigFacts = {
  /** Is the stream of the control API open? Null: the configuration comes from files. */
  readonly connected: boolean | null;
  /** Errors in the configuration that was read last; what they are in is left out, or stays as it was before. */
  readonly errors: number;
  /** Listeners that cannot be bound. */
  readonly unbound: number;
  /** Of the control API's changes, the newest one that is in force; of files, how often they were read. */
  readonly revision: number;
  /** When what is in force came into force, ms since 1970; null: nothing is yet. */
  readonly since: number | null;
};

/** Envoy: `control_plane.connected_state` (management server statistics). The others have no counterpart there. */
export function exposeConfigFacts(registry: Registry, facts: () => ConfigFacts): void {
  const gauge = (name: string, help: string, value: (facts: ConfigFacts) => number | null): void => {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        const now = value(facts());
        if (now === null) this.remove();
        else this.set(now);
      },
    }).remove();
  };
  gauge('envoy_control_plane_connected_state', '1: the stream of the control API is open.', ({ connected }) =>
    connected === null ? null : Number(connected),
  );
  gauge('lateen_config_errors', 'Errors in the configuration that was read last.', ({ errors }) => errors);
  gauge('lateen_config_revision', 'Newest revision that is in force.', ({ revision }) => revision);
  gauge('lateen_config_applied_timestamp_seconds', 'When the configuration in force came into force.', ({ since }) =>
    since === null ? null : since / 1000,
  );
  gauge('lateen_listeners_unbound', 'Listeners whose address and port cannot be bound.', ({ unbound }) => unbound);
}
